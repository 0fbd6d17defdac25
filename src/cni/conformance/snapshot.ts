/** What a namespace and the plugins' files are like, without what changes by itself; and how two such states differ. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '#cni/conformance/exec.ts';
import { type Kernel, readKernel, type Tool } from '#cni/conformance/read.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { isObject, type JsonObject } from '#wire/cni/json.ts';

/** One line an object. */
export type Snapshot = readonly string[];

export async function snapshot(netns: Netns): Promise<Snapshot> {
  return lines(await readKernel(netns));
}

function lines(kernel: Kernel): string[] {
  const all = Object.entries(kernel) as [Tool, readonly JsonObject[]][];
  return all
    .flatMap(([tool, rows]) => rows.flatMap((row) => (KEEP[tool](row) ?? []).map((kept) => `${tool} ${kept}`)))
    .sort();
}

type Keep = (row: JsonObject) => string[] | undefined;

const route: Keep = (row) => {
  const text = `${String(row.dst)} ${String(row.dev ?? '')}`;
  // A route of lo comes with its address.
  if (/^(fe80:|ff00:|multicast)/.test(text) || row.dev === 'lo' || row.type === 'multicast' || row.type === 'anycast')
    return undefined;
  return [pick(row, ['type', 'dst', 'gateway', 'via', 'dev', 'table', 'scope', 'prefsrc', 'metric'])];
};

/** The rule for VRFs comes with the first one of a namespace, and stays: it is the kernel's own. */
const rule: Keep = (row) => ('l3mdev' in row ? undefined : [JSON.stringify(row)]);

const KEEP: Record<Tool, Keep> = {
  addr: (row) => [link(row)],
  route,
  route6: route,
  rule,
  rule6: rule,
  neigh: (row) => [pick(row, ['dst', 'dev', 'lladdr'])],
  qdisc: (row) => (row.kind === 'noqueue' ? undefined : [pick(row, ['kind', 'dev', 'parent', 'options'])]),
  vlan: (row) => [pick(row, ['ifname', 'vlans'])],
  port: (row) => [pick(row, ['ifname', 'master', 'hairpin', 'isolated', 'learning', 'flood'])],
  nft: (row) => ('metainfo' in row ? undefined : nftLines(row)),
};

/** A set or map is a line for itself and one for each element: what belongs to one pod is then told apart. */
function nftLines(row: JsonObject): string[] {
  const [kind = '', body] = Object.entries(row)[0] ?? [];
  if (!isObject(body) || !Array.isArray(body.elem)) return [JSON.stringify(row, steady)];
  const { elem, ...rest } = body;
  const name = `${String(body.table)} ${String(body.name)}`;
  return [
    JSON.stringify({ [kind]: rest }, steady),
    ...elem.map((one: unknown) => `${name} ${JSON.stringify(one, steady)}`),
  ];
}

function pick(row: JsonObject, keys: readonly string[]): string {
  return JSON.stringify(Object.fromEntries(keys.filter((key) => key in row).map((key) => [key, row[key]])));
}

/** A bridge takes the MAC of its ports; carrier and statistics come and go. */
function link(row: JsonObject): string {
  const kind = isObject(row.linkinfo) ? row.linkinfo.info_kind : undefined;
  const flags = list(row.flags)
    .filter((flag) => !['LOWER_UP', 'NO-CARRIER', 'M-DOWN'].includes(String(flag)))
    .sort();
  // The kernel gives lo its address as it comes up, and leaves it as it goes down.
  const addresses = (row.ifname === 'lo' ? [] : list(row.addr_info))
    .filter((a): a is JsonObject => isObject(a) && a.scope !== 'link' && a.local !== undefined)
    .map((a) => `${String(a.local)}/${String(a.prefixlen)}`);
  const rest = { kind, ...(kind !== 'bridge' && { mac: row.address }), flags, addresses };
  const own = JSON.parse(pick(row, ['ifname', 'mtu', 'master', 'txqlen', 'group', 'promiscuity'])) as JsonObject;
  return JSON.stringify({ ...own, ...rest });
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Leaves out of nft's objects what the kernel counts or numbers. */
function steady(key: string, value: unknown): unknown {
  return ['handle', 'packets', 'bytes', 'expires', 'index'].includes(key) ? undefined : value;
}

/** Those of interfaces come and go with these; what the kernel counts changes by itself. */
const SYSCTLS = [
  'cd /proc/sys/net',
  'grep -s . ipv4/* ipv6/* ipv4/conf/all/* ipv4/conf/default/* ipv6/conf/all/* ipv6/conf/default/* bridge/* netfilter/*',
  'true',
].join('; ');

/** A namespace's parameters. */
export async function sysctlSnapshot(netns: Netns): Promise<Snapshot> {
  const text = await must(netns, ['sh', '-c', SYSCTLS]);
  return text
    .split('\n')
    .filter((line) => line !== '' && !/_count:|_key:|random|timestamp/.test(line))
    .map((line) => `sysctl ${line}`);
}

/** The files below a folder, with their text. Locks and "the last address given" are meant to stay. */
export function fileSnapshot(dir: string): Snapshot {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort();
  return names
    .filter((name) => !/(^|\/)(lock|last_reserved_ip\.[^/]*)$/.test(name) && statSync(join(dir, name)).isFile())
    .map((name) => `file ${name}: ${JSON.stringify(readFileSync(join(dir, name), 'utf8').slice(0, 200))}`);
}

/** Lines that are only in one of the two: `+` appeared, `-` went. */
export function difference(before: Snapshot, after: Snapshot): string[] {
  return [...missing(before, after).map((line) => `- ${line}`), ...missing(after, before).map((line) => `+ ${line}`)];
}

/** Lines of `from` that `in_` does not have as often. */
function missing(from: Snapshot, other: Snapshot): string[] {
  const left = new Map<string, number>();
  for (const line of other) left.set(line, (left.get(line) ?? 0) + 1);
  return from.filter((line) => {
    const n = left.get(line) ?? 0;
    left.set(line, n - 1);
    return n <= 0;
  });
}
