/** A node whose executables are exchanged for ours under running pods, with the conflist that it had. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { installAlone } from '#cni/daemonless/install.ts';
import { PLUGINS } from '#cni/plugins/table.ts';
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
import { type CniServerProcess, makeBin, startServer, useOurs, useReference } from './support/server.ts';

/** What the documents of the reference plugins show, and most nodes have. */
const USUAL = [
  {
    type: 'bridge',
    bridge: 'cni0',
    isGateway: true,
    ipMasq: true,
    hairpinMode: true,
    ipam: { type: 'host-local', ranges: [[{ subnet: '10.88.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] },
  },
  { type: 'portmap', capabilities: { portMappings: true } },
  { type: 'firewall' },
  { type: 'bandwidth', capabilities: { bandwidth: true } },
  { type: 'tuning', sysctl: { 'net.core.somaxconn': '512' } },
];
const TYPES = [...USUAL.map(({ type }) => type), 'host-local', 'loopback'];

function pod(name: string, hostPort: number): PodConfig {
  return {
    name,
    portMappings: [{ protocol: 0, containerPort: 80, hostPort }],
    annotations: { 'kubernetes.io/ingress-bandwidth': '10M', 'kubernetes.io/egress-bandwidth': '20M' },
  };
}

/** Why it cannot be tried here, or false. */
function cannot(): string | false {
  const missing = ['bridge', 'host-local'].filter((type) => !PLUGINS.has(type));
  if (missing.length > 0) return `no plugin ${missing.join(', ')} of ours`;
  return without('containerd', 'ctr', 'runc', 'busybox', 'curl');
}

describe('the usual conflist', { skip: cannot() }, () => {
  let machine: Machine;
  let containerd: Containerd;
  let server: CniServerProcess;
  let bin: string;
  let links: string[];
  const cri = (): CriClient => containerd.cri;

  before(async () => {
    machine = await makeMachine();
    await addNeighbour(machine);
    server = await startServer(machine);
    bin = makeBin(machine);
    containerd = await startContainerd(machine, bin, { '': USUAL });
    // The bridge stays, as the reference’s does.
    links = [...(await linksOf(machine)), 'cni0'];
  });
  after(() => machine?.[Symbol.asyncDispose]());

  async function assertWorks(id: string, hostPort: number): Promise<string> {
    const { ip, pid } = await cri().status(id);
    await assertReachable(machine, ip);
    await serveHttp(machine, pid, 80, `pod ${id}`);
    assert.equal(await fetchFromNeighbour(machine, hostPort), `pod ${id}`);
    const tbf = (JSON.parse(await machine.must('tc', '-j', 'qdisc')) as { kind: string }[]).filter(
      ({ kind }) => kind === 'tbf',
    );
    assert.notEqual(tbf.length, 0);
    return ip;
  }

  async function assertGone(pods: readonly { readonly id: string; readonly ip: string }[]): Promise<void> {
    for (const { id } of pods) {
      await cri().stopPod(id);
      await cri().removePod(id);
    }
    if ((await cri().list()).length === 0) await assertLinks(machine, links);
    await assertForgotten(
      machine,
      pods.flatMap(({ id, ip }) => [id, ip]),
    );
    const taken = (await machine.must('ls', '/var/lib/cni/networks/pods')).split('\n');
    assert.deepEqual(
      pods.filter(({ ip }) => taken.includes(ip)),
      [],
    );
  }

  test('our executables serve it', async () => {
    useOurs(bin);
    const id = await cri().runPod(pod('ours', 8080));
    await assertGone([{ id, ip: await assertWorks(id, 8080) }]);
  });

  test('a pod of the reference’s goes on under ours, keeps its address, and is taken away by ours', async () => {
    useReference(bin, TYPES);
    const old = await cri().runPod(pod('old', 8081));
    const ip = await assertWorks(old, 8081);
    useOurs(bin);
    const fresh = await cri().runPod(pod('fresh', 8082));
    const freshIp = await assertWorks(fresh, 8082);
    assert.notEqual(freshIp, ip);
    await assertReachable(machine, ip);
    assert.equal(await fetchFromNeighbour(machine, 8081), `pod ${old}`);
    await assertGone([
      { id: old, ip },
      { id: fresh, ip: freshIp },
    ]);
  });

  test('without an agent the executables do it by themselves; pods go from one way to the other', async () => {
    useOurs(bin);
    installAlone(bin, { node: process.execPath });
    const withAgent = await cri().runPod(pod('with', 8083));
    const ips = [await assertWorks(withAgent, 8083)];
    await server.kill();
    const alone = await cri().runPod(pod('alone', 8084));
    ips.push(await assertWorks(alone, 8084));
    await assertGone([{ id: withAgent, ip: ips[0] ?? '' }]);
    await assertReachable(machine, ips[1] ?? '');
    await server.start();
    await assertGone([{ id: alone, ip: ips[1] ?? '' }]);
  });
});
