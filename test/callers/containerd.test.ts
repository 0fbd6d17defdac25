/** Debian's containerd as the caller of our plugin, by the interface that kubelets use. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/lab.ts';
import { EVERY_CAPABILITY } from './support/capabilities.ts';
import { type Containerd, startContainerd } from './support/containerd.ts';
import type { CriClient, PodConfig } from './support/cri.ts';
import { type Machine, makeMachine } from './support/machine.ts';
import {
  addNeighbour,
  assertForgotten,
  assertLinks,
  assertReachable,
  fetchFromNeighbour,
  linksOf,
  serveHttp,
} from './support/network.ts';
import { without } from './support/programs.ts';
import { readRecords, readSample, shapeOf } from './support/records.ts';
import { type CniServerProcess, makeBin, startServer } from './support/server.ts';

const PORTMAP = { type: 'portmap', capabilities: { portMappings: true } };
const BANDWIDTH = { type: 'bandwidth', capabilities: { bandwidth: true } };
/** A chain for each runtime handler. */
const CHAINS = {
  '': [{ type: 'polder', capabilities: { dns: true } }, PORTMAP, BANDWIDTH],
  recorded: [{ type: 'recorded-polder', capabilities: EVERY_CAPABILITY }, PORTMAP, BANDWIDTH],
};

/** A pod with everything that containerd passes on. */
const FULL: PodConfig = {
  name: 'web-0',
  namespace: 'shop',
  uid: '5e6d1c1e-6d0a-4a63-9b67-0c8f7c3f1a11',
  portMappings: [
    { protocol: 0, containerPort: 80, hostPort: 8080 },
    { protocol: 1, containerPort: 53, hostPort: 8053 },
  ],
  annotations: {
    'kubernetes.io/ingress-bandwidth': '10M',
    'kubernetes.io/egress-bandwidth': '20M',
    'example.com/team': 'blue',
  },
  dns: { servers: ['10.96.0.10'], searches: ['shop.svc.cluster.local', 'svc.cluster.local'], options: ['ndots:5'] },
};

describe('containerd', { skip: without('containerd', 'ctr', 'runc', 'busybox', 'curl') }, () => {
  let machine: Machine;
  let server: CniServerProcess;
  let containerd: Containerd;
  let links: string[];
  const cri = (): CriClient => containerd.cri;

  before(async () => {
    machine = await makeMachine();
    await addNeighbour(machine);
    server = await startServer(machine);
    containerd = await startContainerd(machine, makeBin(machine), CHAINS);
    links = await linksOf(machine);
  });
  after(() => machine?.[Symbol.asyncDispose]());

  /** Every test ends with a node as it began. */
  async function removeAll(ids: readonly string[]): Promise<void> {
    const addrs = await Promise.all(ids.map(async (id) => (await cri().status(id)).ip));
    await Promise.all(ids.map((id) => cri().stopPod(id)));
    await Promise.all(ids.map((id) => cri().removePod(id)));
    assert.deepEqual(await cri().list(), []);
    await assertLinks(machine, links);
    await assertForgotten(machine, [...ids, ...addrs]);
    assert.deepEqual(await server.containers(), []);
  }

  test('a sandbox gets an address of the node’s network and answers; nothing of it stays', async () => {
    const id = await cri().runPod({ name: 'one' });
    const { ready, ip, cniResult } = await cri().status(id);
    assert.ok(ready);
    assert.match(ip, /^10\.244\.1\.\d+$/);
    assert.deepEqual(cniResult.Interfaces?.eth0?.IPConfigs, [{ IP: ip, Gateway: '169.254.1.1' }]);
    await assertReachable(machine, ip);
    await removeAll([id]);
  });

  test('DNS of the pod comes back in the result', async () => {
    const id = await cri().runPod(FULL);
    const { cniResult } = await cri().status(id);
    const { servers: nameservers, searches: search, options } = FULL.dns ?? {};
    assert.ok(cniResult.DNS?.some((dns) => JSON.stringify(dns) === JSON.stringify({ nameservers, search, options })));
    await removeAll([id]);
  });

  test('a mapped port leads from another machine into the pod', async () => {
    const id = await cri().runPod(FULL);
    const { pid } = await cri().status(id);
    await serveHttp(machine, pid, 80, 'from the pod');
    assert.equal(await fetchFromNeighbour(machine, 8080), 'from the pod');
    await removeAll([id]);
    await assert.rejects(fetchFromNeighbour(machine, 8080), /connect/);
  });

  test('bandwidth annotations become token buckets', async () => {
    const id = await cri().runPod(FULL);
    const qdiscs = JSON.parse(await machine.must('tc', '-j', 'qdisc')) as {
      kind: string;
      options: { rate?: number };
    }[];
    const rates = qdiscs.filter(({ kind }) => kind === 'tbf').map(({ options }) => options.rate);
    // tc counts bytes.
    assert.deepEqual(rates.sort(), [10_000_000 / 8, 20_000_000 / 8]);
    await removeAll([id]);
  });

  test('20 pods at once: each has an address of its own and answers', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `many-${i}`);
    const ids = await Promise.all(names.map((name) => cri().runPod({ name })));
    const addrs = await Promise.all(ids.map(async (id) => (await cri().status(id)).ip));
    assert.equal(new Set(addrs).size, 20);
    await Promise.all(addrs.map((addr) => assertReachable(machine, addr)));
    await removeAll(ids);
  });

  test('containerd started again finds its pods as they were, and can stop them', async () => {
    const id = await cri().runPod(FULL);
    const was = await cri().status(id);
    await containerd.stop();
    await assertReachable(machine, was.ip);
    await containerd.start();
    assert.deepEqual(await cri().status(id), was);
    await assertReachable(machine, was.ip);
    await removeAll([id]);
  });

  test('a killed CNI server: ADD says try again, pods go on, and all works when it is back', async () => {
    const old = await cri().runPod({ name: 'old' });
    const { ip } = await cri().status(old);
    await server.kill();
    await assert.rejects(cri().runPod({ name: 'new' }), /try again later/);
    await assertReachable(machine, ip);
    await assert.rejects(cri().stopPod(old), /try again later/);
    await server.start();
    // Its failed clean-up keeps the first attempt's name taken, as the kubelet knows.
    const fresh = await cri().runPod({ name: 'new', attempt: 1 });
    assert.notEqual((await cri().status(fresh)).ip, ip);
    await removeAll([...(await cri().list())]);
  });

  test('an ADD that was killed at the caller’s deadline is undone, though it came before its DEL', async () => {
    server.signal('SIGSTOP');
    try {
      const late = assert.rejects(cri().runPod({ name: 'late' }, '', 300), /killed|deadline/i);
      await eventually('containerd has killed ADD and waits for DEL', async () => {
        const { stdout } = await machine.run('sh', '-c', 'grep -lz CNI_COMMAND=DEL /proc/[0-9]*/environ');
        return stdout === '' ? undefined : true;
      });
      server.signal('SIGCONT');
      await late;
    } finally {
      server.signal('SIGCONT');
    }
    await removeAll(await cri().list());
  });

  test('a pod whose sandbox died is stopped like any other', async () => {
    const id = await cri().runPod({ name: 'dead' });
    await machine.must('kill', '-9', String((await cri().status(id)).pid));
    // Until it has taken the death in, containerd may find the sandbox's shim on its way out ("ttrpc: closed"): a kubelet asks again.
    await eventually('containerd knows that it died', async () => {
      const status = await cri()
        .status(id)
        .catch(() => undefined);
      return status?.ready === false ? true : undefined;
    });
    await removeAll([id]);
  });

  test('DEL comes again without a namespace and succeeds; what comes is as in the samples', async (t) => {
    const id = await cri().runPod(FULL, 'recorded');
    await cri().stopPod(id);
    await cri().stopPod(id);
    await removeAll([id]);
    const version = await machine.must('containerd', '--version');
    if (!/ 1\.[67]\./.test(version)) return t.skip(`no samples of ${version.trim()}`);
    const shapes = readRecords(machine).map(shapeOf);
    const [add, del, again] = ['add', 'del', 'del-again'].map((name) => shapeOf(readSample(`containerd-1.6-${name}`)));
    assert.deepEqual(shapes.slice(0, 2), [add, del]);
    assert.ok(shapes.length > 2);
    for (const later of shapes.slice(2)) assert.deepEqual(later, again);
  });
});
