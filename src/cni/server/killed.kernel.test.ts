/** The agent is killed with SIGKILL in the middle of its work: no address is given twice, and nothing is left. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startCniServer } from '#cni/server/server.ts';
import { moveAway, noBed, pathOf, ROUTED, runShim, type ShimAnswer } from '#cni/testing/bed.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const SERVER = fileURLToPath(new URL('../testing/server-process.ts', import.meta.url));
const CONF = { cniVersion: '1.1.0', name: 'polder', type: 'polder' };
const PODS = 12;

async function serverProcess(socketPath: string, stateDir: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [SERVER, socketPath, stateDir], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

function hostLinks(): Set<string> {
  using netlink = openNetlink();
  return new Set(
    netlink
      .links()
      .filter((link) => link.info.kind === 'veth')
      .map((link) => link.name),
  );
}

function addressOf(answer: ShimAnswer): string {
  const [ip] = (answer.json?.ips ?? []) as { address: string }[];
  return ip?.address ?? 'none';
}

test('a server killed while it attaches pods has lost nothing that it answered', {
  skip: noBed(),
  timeout: 60_000,
}, async (t) => {
  moveAway();
  const dir = mkdtempSync(join(tmpdir(), 'pt-cni-'));
  const socketPath = join(dir, 'cni.sock');
  const pods = Array.from({ length: PODS }, scratchNetns);
  t.after(() => {
    for (const pod of pods) pod.close();
    rmSync(dir, { recursive: true, force: true });
  });
  for (let round = 0; round < 6; round++) {
    const child = await serverProcess(socketPath, dir);
    const env = (i: number) => ({
      CNI_CONTAINERID: `r${round}-${i}`,
      CNI_NETNS: pathOf(pods[i] ?? assert.fail()),
      CNI_IFNAME: 'eth0',
    });
    const adds = pods.map((_, i) => runShim(socketPath, { CNI_COMMAND: 'ADD', ...env(i) }, CONF));
    // Each round at another instant of the work.
    await Promise.race(adds);
    await sleep(round * 2);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const answers = await Promise.all(adds);
    for (const answer of answers) assert.ok(answer.exit === 0 || answer.json?.code === 11, answer.stdout);

    const log = { info() {}, warn() {}, error() {} };
    const options = { socketPath, stateDir: dir, nodeNetwork: () => ROUTED, log, coolDownMs: 0 };
    const server = await startCniServer(options);
    const endpoints = new Map(server.endpoints().map((e) => [e.containerId, e]));
    const answered = answers.flatMap((answer, i) => (answer.exit === 0 ? [{ answer, i }] : []));
    for (const { answer, i } of answered) {
      assert.equal(`${endpoints.get(`r${round}-${i}`)?.addrs[0]}/32`, addressOf(answer));
      const checked = await runShim(
        socketPath,
        { CNI_COMMAND: 'CHECK', ...env(i) },
        { ...CONF, prevResult: answer.json },
      );
      assert.equal(checked.exit, 0, checked.stdout);
    }
    assert.equal(new Set([...endpoints.values()].map((e) => e.addrs[0])).size, endpoints.size, 'an address twice');
    assert.deepEqual(
      hostLinks(),
      new Set([...endpoints.values()].map((e) => e.hostIfname)),
      'a link that nobody knows',
    );
    // The runtime ends what it has no answer for, as containerd and the kubelet do.
    const dels = await Promise.all(pods.map((_, i) => runShim(socketPath, { CNI_COMMAND: 'DEL', ...env(i) }, CONF)));
    for (const del of dels) assert.equal(del.exit, 0, del.stdout);
    assert.deepEqual([hostLinks(), server.endpoints()], [new Set(), []]);
    await server.close();
  }
});
