/**
 * The independent reader: what the kernel has, as `ip`, `bridge`, `tc` and `nft` print it as JSON. None of Polder's
 * own netlink code takes part, so that a mistake of that cannot hide itself.
 */

import { must } from '#cni/conformance/exec.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { isObject, type JsonObject } from '#wire/cni/json.ts';

export const TOOLS = {
  addr: 'ip -j -d addr show',
  route: 'ip -j -4 route show table all',
  route6: 'ip -j -6 route show table all',
  rule: 'ip -j -4 rule show',
  rule6: 'ip -j -6 rule show',
  neigh: 'ip -j neigh show nud permanent',
  qdisc: 'tc -j qdisc show',
  vlan: 'bridge -j vlan show',
  port: 'bridge -j -d link show',
  nft: 'nft -j list ruleset',
} as const;

export type Tool = keyof typeof TOOLS;

export type Kernel = Readonly<Record<Tool, readonly JsonObject[]>>;

const MARK = '=-=-=';

/** Everything at once, by one shell. @throws Error if a tool is missing or prints no JSON */
export async function readKernel(netns: Netns): Promise<Kernel> {
  const names = Object.keys(TOOLS) as Tool[];
  const script = names.map((name) => `${TOOLS[name]} 2>/dev/null; echo; echo ${MARK}`).join('\n');
  const parts = (await must(netns, ['sh', '-c', script])).split(MARK);
  return Object.fromEntries(names.map((name, i) => [name, rows(name, parts[i] ?? '')])) as Record<Tool, JsonObject[]>;
}

export async function read(netns: Netns, tool: Tool): Promise<readonly JsonObject[]> {
  const all = rows(tool, await must(netns, TOOLS[tool].split(' ')));
  // Told last: who is shown what was seen looks for another interface.
  return [...all.filter((row) => row.ifname !== 'lo'), ...all.filter((row) => row.ifname === 'lo')];
}

/** nft wraps its rows in an object; iproute2 prints nothing, or empty objects, where there is nothing. */
function rows(tool: Tool, text: string): JsonObject[] {
  if (text.trim() === '') return [];
  const value: unknown = JSON.parse(text);
  const list = tool === 'nft' && isObject(value) ? value.nftables : value;
  return Array.isArray(list) ? list.filter((row) => isObject(row) && Object.keys(row).length > 0) : [];
}

/** True if the value has at least what the pattern has. In lists each wanted element must be found; `/x/` is a regular expression. */
export function has(value: unknown, pattern: unknown): boolean {
  if (Array.isArray(pattern)) {
    return Array.isArray(value) && pattern.every((wanted) => value.some((one) => has(one, wanted)));
  }
  if (isObject(pattern)) {
    return isObject(value) && Object.entries(pattern).every(([key, wanted]) => has(value[key], wanted));
  }
  if (typeof pattern === 'string' && pattern.length > 2 && pattern.startsWith('/') && pattern.endsWith('/')) {
    return new RegExp(pattern.slice(1, -1)).test(String(value));
  }
  return value === pattern;
}
