/** Pods that go without DEL, with real namespaces, the real plugin and the real API server. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LeakCollector } from '#cni/server/leaks.ts';
import { type Bed, bed, moveAway, noBed, pathOf, ROUTED } from '#cni/testing/bed.ts';
import { ApiClient } from '#feed/client.ts';
import { systemClock } from '#feed/clock.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { sharedReflectors } from '#feed/shared.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import { NodeAddresses } from '#serve/agent/node-addresses.ts';
import { startProcess } from '#serve/api/testing/process.ts';
import { placeOf, readBlock, release, writeBlock } from '#spec/block.ts';
import { IP_POOLS, IPAM_BLOCKS } from '#spec/calico.ts';
import { PROFILES } from '#spec/cluster.ts';
import { NAMESPACES, NODES, PODS } from '#spec/k8s.ts';

const CONF = { cniVersion: '1.1.0', name: 'k8s-pod-network', type: 'polder' };
const options = { skip: noBed(), timeout: 120_000 };
const quiet = { info() {}, warn() {}, error() {} };

interface Sandbox {
  readonly addr: Addr;
  readonly process: ChildProcess;
  /** Its last process ends; the namespace stays as long as this test holds it. */
  end(): Promise<void>;
  /** The namespace itself goes, and the interface with it. */
  close(): void;
}

class World {
  readonly dir: string;
  readonly client: ApiClient;
  readonly bed: Bed;
  readonly addresses: NodeAddresses;
  readonly leaks: LeakCollector;
  /** Ends the API server without a word. */
  readonly cut: () => Promise<unknown>;

  private constructor(parts: Pick<World, 'dir' | 'client' | 'bed' | 'addresses' | 'leaks' | 'cut'>) {
    this.dir = parts.dir;
    this.client = parts.client;
    this.bed = parts.bed;
    this.addresses = parts.addresses;
    this.leaks = parts.leaks;
    this.cut = parts.cut;
  }

  static async make(t: TestContext, graceMs: number): Promise<World> {
    moveAway();
    const dir = mkdtempSync(join(tmpdir(), 'pt-leaks-'));
    const api = await startProcess(dir, ['--listen', '127.0.0.1:0']);
    const client = new ApiClient(loadKubeconfig(join(dir, 'kubeconfig')));
    for (const name of ['node1', 'node2']) await client.create(NODES, { metadata: { name } });
    await client.create(NAMESPACES, { metadata: { name: 'default' } }).catch(() => {});
    await client.create(IP_POOLS, { metadata: { name: 'pool' }, ...{ spec: { cidr: '10.0.0.0/24', blockSize: 28 } } });
    const made: { addresses?: NodeAddresses; leaks?: LeakCollector } = {};
    const stop = new AbortController();
    const more = {
      coolDownMs: 0,
      addresses: (store: ConstructorParameters<typeof NodeAddresses>[0]['store']) => {
        made.addresses = new NodeAddresses({
          ...{
            node: 'node1',
            stateDir: dir,
            client,
            shared: sharedReflectors(client),
            store,
            log: quiet,
            onError() {},
          },
          cidrWaitMs: 0,
          profile: () => PROFILES['calico-vxlan'],
          doubt: (addrs) => void made.leaks?.doubt(addrs).catch(() => {}),
        });
        return made.addresses.book;
      },
    };
    const network = { ...ROUTED, ipam: 'pools', podCidrs: [] } as const;
    const one = await bed(t, network, more);
    const { addresses = assert.fail() } = made;
    const { attachments, isInhabited, forget } = one.server;
    const leaks = new LeakCollector({
      ...{ pods: addresses.pods, attachments, isInhabited, forget, clock: systemClock, log: quiet, graceMs },
    });
    made.leaks = leaks;
    const running = Promise.all([addresses.run(stop.signal), leaks.run(stop.signal)]);
    t.after(async () => {
      stop.abort();
      await running;
      client.close();
      await api.stop('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    });
    const world = new World({ dir, client, bed: one, addresses, leaks, cut: () => api.stop('SIGKILL') });
    await world.until(() => addresses.ready);
    return world;
  }

  async pod(name: string): Promise<void> {
    const spec = { nodeName: 'node1', containers: [{ name: 'c', image: 'i' }] };
    await this.client.create(PODS, { metadata: { namespace: 'default', name }, spec });
  }

  async says(name: string, addr: Addr): Promise<void> {
    const status = { phase: 'Running', podIP: addr, podIPs: [{ ip: addr }] };
    await this.client.patch(PODS, { namespace: 'default', name }, { status }, { subresource: 'status' });
  }

  /** As somebody who forces it: no kubelet ever hears of it. */
  async forgetPod(name: string): Promise<void> {
    await this.client.delete(PODS, { namespace: 'default', name }, { gracePeriodSeconds: 0 });
    await this.until(() => this.addresses.pods.find('default', name) === undefined);
  }

  async attach(name: string, container = name): Promise<Sandbox> {
    const netns = scratchNetns();
    const child = inNetns(netns, () => spawn('sleep', ['infinity'], { stdio: 'ignore' }));
    const env = { CNI_CONTAINERID: container, CNI_IFNAME: 'eth0', CNI_NETNS: pathOf(netns) };
    const args = `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}`;
    const { json, stdout } = await this.bed.cni('ADD', { ...env, CNI_ARGS: args }, CONF);
    const [ip = assert.fail(stdout)] = (json?.ips ?? []) as { address: string }[];
    const end = async () => {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    };
    return { addr: parseAddr(ip.address.split('/')[0] ?? ''), process: child, end, close: () => netns.close() };
  }

  /** A pod of the API that runs here. */
  async run(name: string): Promise<Sandbox> {
    await this.pod(name);
    const sandbox = await this.attach(name);
    await this.says(name, sandbox.addr);
    await this.until(() => this.addresses.pods.find('default', name) !== undefined);
    return sandbox;
  }

  has({ addr }: Sandbox): boolean {
    return this.bed.server.attachments().some(({ addrs }) => addrs.includes(addr));
  }

  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (const start = Date.now(); !(await holds()); await delay(20)) {
      assert.ok(Date.now() - start < 60_000, `never: ${String(holds)}`);
    }
  }
}

test(
  'the address of a pod that went without DEL is taken back: also when a file keeps its empty namespace',
  options,
  async (t) => {
    const world = await World.make(t, 200);
    const [gone, kept] = [await world.run('gone'), await world.run('kept')];
    for (const one of [gone, kept]) await one.end();
    gone.close();
    for (const name of ['gone', 'kept']) await world.forgetPod(name);
    for (const one of [gone, kept]) await world.until(() => !world.has(one));
    await world.addresses.pass();
    const [block] = (await world.client.list(IPAM_BLOCKS)).items.map(readBlock);
    assert.ok(
      [...(block?.given.values() ?? [])].every(({ notes }) => notes.pod === undefined),
      'the API hears of it',
    );
    kept.close();
  },
);

test(
  'a pod that lives keeps its address: with a process though the API has forgotten it, with an interface that somebody deleted, on another node',
  options,
  async (t) => {
    const world = await World.make(t, 100);
    const [forgotten, cut, leak] = [await world.run('forgotten'), await world.run('cut'), await world.run('leak')];
    await world.forgetPod('forgotten');
    await cut.end();
    cut.close();
    await leak.end();
    leak.close();
    // The leak was seen after the others: when it is gone they have had their turn.
    await world.forgetPod('leak');
    await world.until(() => !world.has(leak));
    await delay(300);
    assert.deepEqual([world.has(forgotten), world.has(cut)], [true, true]);
    await forgotten.end();
    await world.until(() => !world.has(forgotten));
    forgotten.close();
  },
);

test(
  'of a pod that was made anew under its name the old sandbox’s address goes, the new one’s stays',
  options,
  async (t) => {
    const world = await World.make(t, 100);
    const old = await world.run('web-0');
    await old.end();
    old.close();
    await world.forgetPod('web-0');
    await world.pod('web-0');
    const now = await world.attach('web-0', 'second');
    await world.says('web-0', now.addr);
    await world.until(() => !world.has(old));
    assert.ok(world.has(now));
    await now.end();
    now.close();
  },
);

test('while the API is away nothing is concluded', options, async (t) => {
  const world = await World.make(t, 100);
  const one = await world.run('one');
  await one.end();
  one.close();
  await world.cut();
  await assert.rejects(world.leaks.look().then(() => world.addresses.pods.ask('default', 'one')));
  assert.ok(world.has(one));
});

test(
  'an address that was released by hand is not taken again by its node, if the pod is gone; if it lives, it is',
  options,
  async (t) => {
    const world = await World.make(t, 3_600_000);
    const [dead, living] = [await world.run('dead'), await world.run('living')];
    await dead.end();
    dead.close();
    await world.forgetPod('dead');
    await world.addresses.pass();
    const take = async ({ addr }: Sandbox) => {
      const object = (await world.client.list(IPAM_BLOCKS)).items[0] ?? assert.fail();
      const block = readBlock(object) ?? assert.fail();
      await world.client.update(IPAM_BLOCKS, writeBlock(release(block, [placeOf(block.cidr, addr) ?? -1]), object));
    };
    for (const one of [dead, living]) await take(one);
    await world.until(() => !world.has(dead));
    await world.until(async () => {
      const [block] = (await world.client.list(IPAM_BLOCKS)).items.map(readBlock);
      return [...(block?.given.values() ?? [])].some(({ notes }) => notes.pod === 'living');
    });
    assert.ok(world.has(living));
    await living.end();
    living.close();
  },
);
