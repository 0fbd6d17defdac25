/**
 * The last complete snapshot, kept on disk: a node that boots while the API is away gets its routes from it. It may be
 * old, so it is read back as a plain `Snapshot`, from which nothing is deleted.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type Addr, readAddr } from '#net/addr.ts';
import { type Prefix, readPrefix } from '#net/prefix.ts';
import type { ClusterConfig, ClusterNode, Encapsulation, Profile, Snapshot, Synced } from '#spec/cluster.ts';

/** What of a snapshot the API says; the pods of this node are the CNI server's to know. */
export type ClusterPart = Pick<Snapshot, 'config' | 'nodes'>;

const VERSION = 1;

/** Whole or not at all: written aside and renamed. @throws Error of the file system. */
export function saveSnapshot(path: string, { config, nodes }: Synced<ClusterPart>): void {
  writeFileSync(`${path}.new`, JSON.stringify({ version: VERSION, config, nodes }), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Undefined if there is none, or none that makes sense: then the API has to be waited for. */
export function loadSnapshot(path: string): ClusterPart | undefined {
  try {
    return readCluster(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error)) return undefined;
    throw error;
  }
}

type Json = Readonly<Record<string, unknown>>;

function readCluster(value: unknown): ClusterPart | undefined {
  const root = object(value);
  if (root.version !== VERSION) return undefined;
  return { config: readConfig(object(root.config)), nodes: array(root.nodes).map((item) => readNode(object(item))) };
}

function readConfig(config: Json): ClusterConfig {
  return {
    profile: readProfile(object(config.profile)),
    clusterCidr: prefix(config.clusterCidr),
    masquerade: config.masquerade === true,
    mtu: number(config.mtu),
  };
}

function readProfile(profile: Json): Profile {
  return {
    name: text(profile.name),
    attachment: profile.attachment === 'bridge' ? 'bridge' : 'routed',
    bridge: text(profile.bridge),
    encapsulation: readEncapsulation(object(profile.encapsulation)),
    hostIfPrefix: text(profile.hostIfPrefix),
    like: text(profile.like),
  };
}

function readEncapsulation({ kind, device, vni, port }: Json): Encapsulation {
  if (kind === 'none') return { kind };
  if (kind === 'vxlan') return { kind, device: text(device), vni: number(vni), port: number(port) };
  throw new SyntaxError(`Cannot read the encapsulation ${JSON.stringify(kind)}`);
}

function readNode(node: Json): ClusterNode {
  const vtepMac = node.vtepMac === undefined ? {} : { vtepMac: text(node.vtepMac) };
  return { name: text(node.name), addr: addr(node.addr), podCidrs: array(node.podCidrs).map(prefix), ...vtepMac };
}

function object(value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('an object', value);
  return value as Json;
}

function array(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong('a list', value);
  return value;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw wrong('text', value);
  return value;
}

function number(value: unknown): number {
  if (typeof value !== 'number') throw wrong('a number', value);
  return value;
}

function addr(value: unknown): Addr {
  const read = readAddr(text(value));
  if (read === undefined) throw wrong('an address', value);
  return read;
}

function prefix(value: unknown): Prefix {
  const read = readPrefix(text(value));
  if (read === undefined) throw wrong('a network', value);
  return read;
}

function wrong(what: string, value: unknown): SyntaxError {
  return new SyntaxError(`Cannot read ${JSON.stringify(value)} as ${what}`);
}
