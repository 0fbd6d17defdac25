/** The network around a node of the test: another machine beside it, and servers in its pods. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../support/lab.ts';
import type { Machine } from './machine.ts';

export const NODE_ADDRESS = '192.0.2.1';

/** A neighbour on the node's own network: callers' port mappings are for such. */
export async function addNeighbour(machine: Machine): Promise<void> {
  await machine.must(
    'sh',
    '-ec',
    `ip netns add outside
     ip link add node0 type veth peer name out0 netns outside
     ip addr add ${NODE_ADDRESS}/24 dev node0
     ip link set node0 up
     ip -n outside addr add 192.0.2.2/24 dev out0
     ip -n outside link set out0 up`,
  );
}

/** Serves a page that says `text` in the network namespace of a process. */
export async function serveHttp(machine: Machine, pid: number, port: number, text: string): Promise<void> {
  const dir = join(machine.dir, `www-${pid}`);
  mkdirSync(dir);
  writeFileSync(join(dir, 'index.html'), text);
  await machine.must('nsenter', '-t', String(pid), '-n', 'busybox', 'httpd', '-p', String(port), '-h', dir);
}

/** What the neighbour gets at the node's port. */
export async function fetchFromNeighbour(machine: Machine, port: number): Promise<string> {
  const url = `http://${NODE_ADDRESS}:${port}/`;
  return await machine.must('nsenter', '--net=/run/netns/outside', 'curl', '-sS', '--max-time', '3', url);
}

export async function assertReachable(machine: Machine, addr: string): Promise<void> {
  const ran = await machine.run('ping', '-c', '1', '-W', '2', addr);
  assert.equal(ran.status, 0, `${addr} does not answer: ${ran.stdout}`);
}

/** Names of all interfaces of the node. */
export async function linksOf(machine: Machine): Promise<string[]> {
  const links = JSON.parse(await machine.must('ip', '-j', 'link')) as { ifname: string }[];
  return links.map(({ ifname }) => ifname).sort();
}

/** RCU may hold an interface for a moment after the answer. */
export async function assertLinks(machine: Machine, expected: readonly string[]): Promise<void> {
  await eventually(
    `interfaces are ${expected.join(', ')}`,
    async () => ((await linksOf(machine)).join() === [...expected].sort().join() ? true : undefined),
    3000,
  );
}

/** No route, rule or chain of the node speaks of these pods any more: IDs and addresses; '' is none. */
export async function assertForgotten(machine: Machine, pods: readonly string[]): Promise<void> {
  const state = await machine.must(
    'sh',
    '-c',
    'ip route show table all; ip neigh show nud permanent; nft list ruleset 2>&1',
  );
  const found = state
    .split('\n')
    .filter((line) => pods.some((pod) => pod !== '' && line.split(/[\s,:]+/).includes(pod)));
  assert.deepEqual(found, []);
}
