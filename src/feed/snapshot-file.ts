/**
 * The last known cluster, on disk: what an agent starts from when it is restarted while the API is away.
 *
 * What is read back is `Stale`: complete once, but nobody knows since when it is no longer true. It may add and
 * mend, never delete, so it is a type of its own that no deleting function takes.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { readAddr } from '#net/addr.ts';
import { readMac } from '#net/mac.ts';
import { readPrefix } from '#net/prefix.ts';
import { DEFAULT_BGP } from '#spec/bgp.ts';
import { type ClusterNode, defaultPool, type Snapshot, type Synced } from '#spec/cluster.ts';
import { configData, parseConfig } from '#spec/config.ts';

declare const staleBrand: unique symbol;

/** A value that was complete when it was saved, at `savedAt` ms since 1970. */
export type Stale<T> = T & { readonly savedAt: number; readonly [staleBrand]: true };

/** Raised when the file's shape changes; another version is not read. */
const VERSION = 2;

/**
 * Writes the snapshot beside `path` and renames it there, so that the file is whole at every instant. Synchronous, so
 * that a newer one cannot be overtaken: some hundred bytes a node. `now`: ms since 1970.
 */
export function saveSnapshot(path: string, snapshot: Synced<Snapshot>, now = Date.now()): void {
  const { config, nodes } = snapshot;
  const file = { version: VERSION, savedAt: now, config: configData(config), nodes };
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, `${JSON.stringify(file)}\n`, { mode: 0o600 });
  renameSync(draft, path);
}

/**
 * The cluster as it was last saved, with this node's own view beside it.
 * Undefined if there is no file, or none that can be believed: then there is nothing to start from.
 */
export function loadSnapshot(path: string, local: Snapshot['local']): Stale<Snapshot> | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  return readSnapshot(text, local);
}

/** As `loadSnapshot`, of the file's text. */
export function readSnapshot(text: string, local: Snapshot['local']): Stale<Snapshot> | undefined {
  const file = fieldsOf(parsed(text));
  const config = fieldsOf(file?.config);
  if (file?.version !== VERSION || typeof file.savedAt !== 'number' || !config || !Array.isArray(file.nodes))
    return undefined;
  const settings = parseConfig(textsOf(config));
  const nodes = file.nodes.map(nodeOf);
  if (settings.kind !== 'config' || nodes.includes(undefined)) return undefined;
  const known = nodes.filter((node) => node !== undefined);
  const snapshot: Snapshot & { savedAt: number } = {
    config: settings.config,
    nodes: known,
    pools: [defaultPool(settings.config)],
    bgp: DEFAULT_BGP,
    local,
    savedAt: file.savedAt,
  };
  return snapshot as Stale<Snapshot>;
}

function nodeOf(value: unknown): ClusterNode | undefined {
  const fields = fieldsOf(value);
  const addr = typeof fields?.addr === 'string' ? readAddr(fields.addr) : undefined;
  if (!fields || typeof fields.name !== 'string' || addr === undefined || !Array.isArray(fields.networks))
    return undefined;
  const networks = fields.networks.map((text) => (typeof text === 'string' ? readPrefix(text) : undefined));
  const known = networks.filter((prefix) => prefix !== undefined);
  if (known.length !== networks.length) return undefined;
  const mac = typeof fields.vtepMac === 'string' ? readMac(fields.vtepMac) : undefined;
  const rest = { ...(mac === undefined ? {} : { vtepMac: mac }), labels: textsOf(fieldsOf(fields.labels) ?? {}) };
  return { name: fields.name, addr, addrs: [addr], networks: known, ...rest };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
}

function textsOf(fields: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
