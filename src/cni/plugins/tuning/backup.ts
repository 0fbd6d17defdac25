/**
 * What `tuning` found before it changed it: a file for each attachment, in the reference plugin's folder, name and form
 * (so that a node can change over with pods running), with the parameters and the network's name beside.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '#cni/parts/folder.ts';
import { removeWhole, writeWhole } from '#cni/parts/whole-file.ts';
import type { PluginCall } from '#cni/plugin.ts';
import type { Attributes, TuningConf } from '#cni/plugins/tuning/conf.ts';
import type { Sysctl } from '#cni/plugins/tuning/sysctl.ts';
import { readMac } from '#net/mac.ts';
import { PolderError } from '#spec/errors.ts';
import { isObject, type JsonObject } from '#wire/cni/json.ts';

export interface Backup {
  readonly attributes: Attributes;
  readonly sysctl: readonly Sysctl[];
}

type Folder = Pick<TuningConf, 'dataDir'>;

const EMPTY: Backup = { attributes: {}, sysctl: [] };

function fileOf(call: PluginCall, folder: Folder, containerId: string, ifname: string): string {
  return join(call.caller.seen(folder.dataDir), `${containerId}_${ifname}.json`);
}

function ownFile(call: PluginCall, folder: Folder): string {
  return fileOf(call, folder, call.request.containerId, call.request.ifname);
}

/** @throws PolderError cni-io */
export function saveBackup(call: PluginCall, folder: Folder, { attributes, sysctl }: Backup): void {
  const { mac, mtu, promisc, allmulti, txQueueLen } = attributes;
  const json = {
    network: call.conf.name,
    mac,
    mtu,
    promisc,
    allmulti,
    txQLen: txQueueLen,
    sysctl: Object.fromEntries(sysctl.map(({ path, value }) => [path, value])),
  };
  try {
    makeFolder(call.caller.seen(folder.dataDir), 0o700);
    writeWhole(ownFile(call, folder), JSON.stringify(json), 0o600);
  } catch (error) {
    throw new PolderError(
      'cni-io',
      { what: `Cannot write into ${folder.dataDir}: ${String(error)}` },
      { cause: error },
    );
  }
}

/** Empty if there is none, or if it cannot be read. */
export function loadBackup(call: PluginCall, folder: Folder): Backup {
  const json = readJson(ownFile(call, folder));
  if (!json) return EMPTY;
  const mac = typeof json.mac === 'string' ? readMac(json.mac) : undefined;
  const sysctl = isObject(json.sysctl) ? Object.entries(json.sysctl) : [];
  return {
    attributes: {
      ...(mac && { mac }),
      ...(typeof json.mtu === 'number' && json.mtu > 0 && { mtu: json.mtu }),
      ...(typeof json.promisc === 'boolean' && { promisc: json.promisc }),
      ...(typeof json.allmulti === 'boolean' && { allmulti: json.allmulti }),
      ...(typeof json.txQLen === 'number' && { txQueueLen: json.txQLen }),
    },
    sysctl: sysctl.flatMap(([path, value]) =>
      typeof value === 'string' && path.startsWith('net/') ? [{ path, value }] : [],
    ),
  };
}

export function removeBackup(call: PluginCall, folder: Folder): void {
  removeWhole(ownFile(call, folder));
}

/** Of this network, those that the runtime does not name as valid (GC). */
export function removeStaleBackups(call: PluginCall, folder: Folder): void {
  const valid = new Set((call.conf.validAttachments ?? []).map((a) => fileOf(call, folder, a.containerID, a.ifname)));
  const dir = call.caller.seen(folder.dataDir);
  for (const file of filesIn(dir)) {
    if (!valid.has(file) && readJson(file)?.network === call.conf.name) removeWhole(file);
  }
}

function filesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(dir, name));
  } catch {
    return [];
  }
}

function readJson(file: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
