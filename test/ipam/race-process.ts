/**
 * Several nodes in one process that is killed again and again: each adds and deletes containers as fast as it can and
 * says what it is about to do and what came of it, a line each, before and after.
 */

import { mkdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PolderError } from '#spec/errors.ts';
import { PoolNode } from '#test/ipam/pool-node.ts';
import type { RaceEvent, RaceOrder } from '#test/ipam/race-history.ts';

/** Containers that one node tries to have, at most. */
const MOST = 70;
/** What a node does at once. */
const WORKERS = 3;

const order: RaceOrder = JSON.parse(process.argv[2] ?? '');
let running = true;
let serial = 0;

function say(event: Omit<RaceEvent, 't'>): void {
  // The kernel has it when this returns: a line that was said survives the death of who said it.
  const line = Buffer.from(`${JSON.stringify({ t: Number(process.hrtime.bigint() / 1000n), ...event })}\n`);
  for (let done = 0; done < line.length; ) done += writeSync(1, line, done);
}

async function add(node: PoolNode): Promise<void> {
  const id = `${order.life}-${process.pid}-${serial++}`;
  say({ e: 'add?', n: node.name, c: id });
  try {
    const [addr = ''] = await node.add(id);
    say({ e: 'add', n: node.name, c: id, a: addr });
  } catch (error) {
    if (!(error instanceof PolderError)) throw error;
    say({ e: 'refused', n: node.name, c: id, code: error.code });
    await delay(2 + Math.random() * 20);
  }
}

function del(node: PoolNode, id: string): void {
  const [addr = ''] = node.held().get(id) ?? [];
  say({ e: 'del?', n: node.name, c: id, a: addr });
  node.del(id);
  say({ e: 'del', n: node.name, c: id, a: addr });
}

async function work(node: PoolNode): Promise<void> {
  const busy = new Set<string>();
  while (running) {
    const ids = [...node.held().keys()].filter((id) => node.store.isUp(`k8s-pod-network/${id}/eth0`) && !busy.has(id));
    const id = ids[Math.floor(Math.random() * ids.length)];
    if (id !== undefined && Math.random() < ids.length / MOST) del(node, id);
    else await add(node);
    await delay(Math.random() * order.pauseMs);
  }
}

const nodes = order.nodes.map((name) => {
  const stateDir = join(order.dir, name);
  mkdirSync(stateDir, { recursive: true });
  return new PoolNode({ name, stateDir, kubeconfig: order.kubeconfig, coolDownMs: 20, idleMs: 500, waitMs: 100 });
});
for (const node of nodes) {
  say({ e: 'start', n: node.name });
  for (const [c, [a = '']] of node.held()) say({ e: 'have', n: node.name, c, a });
  say({ e: 'all', n: node.name });
}
process.stdin.on('end', () => {
  running = false;
});
process.stdin.resume();
await Promise.all(nodes.flatMap((node) => Array.from({ length: order.pauseMs < 0 ? 0 : WORKERS }, () => work(node))));
for (const node of nodes) await settle(node);
for (const node of nodes) for (const [c, [a = '']] of node.held()) say({ e: 'end', n: node.name, c, a });
for (const node of nodes) await node[Symbol.asyncDispose]();

/** Until the API has what the node has. */
async function settle(node: PoolNode): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await delay(50);
      await node.addresses.pass();
      if (node.addresses.ready) return;
    } catch (error) {
      if (tries > 100) throw error;
    }
  }
}
