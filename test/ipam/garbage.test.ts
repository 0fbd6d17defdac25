/** What nodes left behind, on the real API server, with the controllers as the program runs them. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { parsePrefix } from '#net/prefix.ts';
import { startProcess } from '#serve/api/testing/process.ts';
import { execute } from '#serve/controller/loop/execute.ts';
import { runController } from '#serve/controller/main.ts';
import { poolGarbage } from '#serve/controller/pools/garbage.ts';
import { TestWorld } from '#serve/controller/testing.ts';
import { affinityName, give, newBlock, readBlock, writeBlock } from '#spec/block.ts';
import { BLOCK_AFFINITIES, IP_POOLS, IPAM_BLOCKS } from '#spec/calico.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import { CONFIG_MAPS, type KubeObject, NODES } from '#spec/k8s.ts';

class Bed implements AsyncDisposable {
  readonly dir: string;
  readonly client: ApiClient;
  readonly #stack = new AsyncDisposableStack();

  constructor(dir: string) {
    this.dir = dir;
    this.client = this.#stack.use(new ApiClient(loadKubeconfig(join(dir, 'kubeconfig'))));
  }

  static async make(): Promise<Bed> {
    const dir = mkdtempSync(join(tmpdir(), 'pt-pool-gc-'));
    const server = await startProcess(dir, ['--listen', '127.0.0.1:0']);
    const bed = new Bed(dir);
    bed.#stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    bed.#stack.use(server);
    return bed;
  }

  /** The controllers, until the bed ends. */
  control(orphanGraceMs: number): void {
    const stop = new AbortController();
    const options = {
      api: loadKubeconfig(join(this.dir, 'kubeconfig')),
      clusterCidrs: [],
      nodeCidrSize: { 4: 24, 6: 64 },
      graceMs: 600_000,
      orphanGraceMs,
      log: pino({ level: 'silent' }),
    };
    const running = runController(options, stop.signal);
    this.#stack.defer(async () => {
      stop.abort();
      await running;
    });
  }

  async block(cidr: string, owner: string, users: readonly string[]): Promise<void> {
    const empty = newBlock(parsePrefix(cidr), owner);
    const block = users.reduce((b, node, i) => give(b, [i], { handle: `net.${i}`, node, notes: {} }), empty);
    await this.client.create(IPAM_BLOCKS, writeBlock(block));
    const spec = { state: 'confirmed', node: owner, cidr, deleted: 'false' } as const;
    await this.client.create(BLOCK_AFFINITIES, { metadata: { name: affinityName(owner, parsePrefix(cidr)) }, spec });
  }

  /** A block a line: who owns it, who has addresses of it. */
  async told(): Promise<string[]> {
    const blocks = (await this.client.list(IPAM_BLOCKS)).items.map((object) => readBlock(object) ?? assert.fail());
    return blocks.map((b) => `${b.cidr} ${b.owner ?? '-'}: ${[...b.given.values()].map((one) => one.node).join(' ')}`);
  }

  async claims(): Promise<string[]> {
    return (await this.client.list(BLOCK_AFFINITIES)).items.map(({ metadata }) => metadata.name ?? '');
  }

  async until(lines: readonly string[]): Promise<void> {
    for (const start = Date.now(); ; await delay(20)) {
      const told = await this.told();
      if (JSON.stringify(told) === JSON.stringify(lines)) return;
      if (Date.now() - start > 20_000) assert.deepEqual(told, lines);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

test('blocks of a node that is gone and what it borrowed are taken back, what others have stays', async () => {
  await using bed = await Bed.make();
  for (const name of ['a', 'b']) await bed.client.create(NODES, { metadata: { name } });
  await bed.block('10.0.0.0/29', 'a', ['a', 'b', 'a']);
  await bed.block('10.0.0.8/29', 'b', ['b']);
  await bed.block('10.0.0.16/29', 'b', ['a', 'b']);
  bed.control(0);
  await bed.client.delete(NODES, { name: 'b' });
  await bed.until(['10.0.0.0/29 a: a a', '10.0.0.16/29 -: a']);
  for (const start = Date.now(); (await bed.claims()).length > 1; await delay(20))
    assert.ok(Date.now() - start < 20_000);
  assert.deepEqual(await bed.claims(), ['a-10-0-0-0-29']);
});

test('where people have a pool none is made, and none comes back that they deleted for another', async () => {
  await using bed = await Bed.make();
  await bed.client.create(IP_POOLS, { metadata: { name: 'ours' }, spec: { cidr: '10.9.0.0/16' } });
  bed.control(600_000);
  const data = { profile: 'calico-vxlan', clusterCIDR: '10.244.0.0/16' };
  const object = { metadata: { ...CONFIG_MAP }, data };
  for (const start = Date.now(); ; await delay(20)) {
    const made = await bed.client.create<KubeObject>(CONFIG_MAPS, object).catch(() => undefined);
    if (made !== undefined) break;
    assert.ok(Date.now() - start < 20_000, 'the namespace never came');
  }
  // The first has its network by the settings, so they were seen; the second comes after all that followed from them.
  for (const name of ['node1', 'node2']) {
    await bed.client.create(NODES, { metadata: { name } });
    for (const start = Date.now(); ; await delay(20)) {
      if ((await bed.client.get(NODES, { name })).spec?.podCIDR !== undefined) break;
      assert.ok(Date.now() - start < 20_000, `${name} never had its network`);
    }
  }
  assert.deepEqual(
    (await bed.client.list(IP_POOLS)).items.map(({ metadata }) => metadata.name),
    ['ours'],
  );
});

test('a node that is back when its addresses are about to be taken keeps them: the API itself is asked', async () => {
  await using bed = await Bed.make();
  await bed.client.create(NODES, { metadata: { name: 'a' } });
  await bed.block('10.0.0.0/29', 'a', ['a', 'b']);
  await bed.block('10.0.0.8/29', 'b', ['b']);
  const gc = poolGarbage(60_000);
  const deps = { client: bed.client, storeOf: () => undefined, tell() {} };
  /** As a controller sees it whose watch of Nodes is behind: without b. */
  const look = async () => {
    const world = new TestWorld([await node(bed.client)]);
    for (const resource of [IPAM_BLOCKS, BLOCK_AFFINITIES]) {
      for (const one of (await bed.client.list<KubeObject>(resource)).items) {
        world.keep({ apiVersion: 'crd.projectcalico.org/v1', kind: resource.kind, ...one });
      }
    }
    return world;
  };
  const first = await look();
  first.now = Date.now();
  for (const key of gc.keys(first)) for (const write of gc.decide(first, key).writes) await execute(deps, write);
  await bed.client.create(NODES, { metadata: { name: 'b' } });
  const late = await look();
  late.now = Date.now() + 120_000;
  const writes = gc.keys(late).flatMap((key) => gc.decide(late, key).writes);
  assert.deepEqual(writes.map(({ verb }) => verb).sort(), ['delete', 'patch']);
  for (const write of writes) await execute(deps, write);
  assert.deepEqual(await bed.told(), ['10.0.0.0/29 a: a b', '10.0.0.8/29 b: b']);
  await bed.client.delete(NODES, { name: 'b' });
  for (const write of writes) await execute(deps, write);
  assert.deepEqual(await bed.told(), ['10.0.0.0/29 a: a'], 'and loses them once it is gone');
});

async function node(client: ApiClient): Promise<KubeObject> {
  return { apiVersion: 'v1', kind: 'Node', ...(await client.get(NODES, { name: 'a' })) };
}
