/** 200 ADDs in flight at once, and then 200 DELs: none fails, no address is given twice, nothing is left. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startCniServer } from '#cni/server/server.ts';
import { until } from '#cni/testing/alone.ts';
import { moveAway, noBed, pathOf, ROUTED, runShim, type ShimAnswer } from '#cni/testing/bed.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const SERVER = fileURLToPath(new URL('../testing/server-process.ts', import.meta.url));
const PODS = 200;
const COMMON = { cniVersion: '1.1.0', name: 'net' };

/** The configuration of each type; `dataDir` is for host-local. */
const TYPES: Readonly<Record<string, (dataDir: string) => object>> = {
  polder: () => ({ type: 'polder' }),
  'bridge with ipMasq and macspoofchk': (dataDir) => ({
    type: 'bridge',
    bridge: 'br7',
    isGateway: true,
    ipMasq: true,
    macspoofchk: true,
    ipam: { type: 'host-local', subnet: '10.7.0.0/16', dataDir },
  }),
  macvlan: (dataDir) => ({
    type: 'macvlan',
    master: 'up7',
    ipam: { type: 'host-local', subnet: '10.7.0.0/16', dataDir },
  }),
};

async function serverProcess(t: TestContext, socketPath: string, stateDir: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [SERVER, socketPath, stateDir], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

/** Callers that have connected to it, this namespace's own table. */
function waitingAt(socketPath: string): number {
  const sockets = readFileSync('/proc/thread-self/net/unix', 'utf8').split('\n');
  return sockets.filter((line) => line.endsWith(` ${socketPath}`)).length - 1;
}

/** The server does nothing until every caller has connected: that they are in flight at once is no matter of speed. */
async function atOnce(server: ChildProcess, socketPath: string, calls: () => Promise<ShimAnswer>[]) {
  server.kill('SIGSTOP');
  const answers = calls();
  await until(() => waitingAt(socketPath) === answers.length);
  server.kill('SIGCONT');
  return await Promise.all(answers);
}

function addressOf({ json }: ShimAnswer): string {
  const [ip] = (json?.ips ?? []) as { address: string }[];
  return ip?.address ?? 'none';
}

function addressIn(pod: Netns): string {
  const { stdout } = inNetns(pod, () => spawnSync('ip', ['-j', '-4', 'addr', 'show', 'eth0'], { encoding: 'utf8' }));
  const [link] = JSON.parse(stdout) as { addr_info: { local: string; prefixlen: number }[] }[];
  return (link?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`).join();
}

/** What calls could have left: interfaces of the node, elements of its tables, files of addresses. */
function leftIn(dataDir: string): string[] {
  using netlink = openNetlink();
  const { stdout } = spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' });
  const files = existsSync(dataDir) ? readdirSync(dataDir, { recursive: true, encoding: 'utf8' }) : [];
  return [
    ...netlink
      .links()
      .filter(({ info }) => info.kind === 'veth' || info.kind === 'macvlan')
      .map(({ name }) => name),
    ...stdout.split('\n').filter((line) => line.includes('comment')),
    ...files.filter((name) => /\/[\d.]+$/.test(name)),
  ];
}

for (const [what, confOf] of Object.entries(TYPES)) {
  test(`${PODS} ADDs and then ${PODS} DELs in flight at once: ${what}`, { skip: noBed() }, async (t) => {
    moveAway();
    const dir = mkdtempSync(join(tmpdir(), 'pt-cni-'));
    const dataDir = join(dir, 'ipam');
    const pods = Array.from({ length: PODS }, scratchNetns);
    using netlink = openNetlink();
    netlink.run([{ op: 'link.add', link: { name: 'up7', info: { kind: 'bridge' }, up: true } }]);
    t.after(() => {
      for (const pod of pods) pod.close();
      for (const name of ['up7', 'br7']) spawnSync('ip', ['link', 'del', name]);
      rmSync(dir, { recursive: true, force: true });
    });
    const socketPath = join(dir, 'cni.sock');
    const server = await serverProcess(t, socketPath, dir);
    const before = leftIn(dataDir);
    const conf = { ...COMMON, ...confOf(dataDir) };
    const all = (command: string) => () =>
      pods.map((pod, i) => {
        const env = { CNI_CONTAINERID: `c${i}`, CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0' };
        return runShim(socketPath, { CNI_COMMAND: command, ...env }, conf);
      });

    const added = await atOnce(server, socketPath, all('ADD'));
    assert.deepEqual(
      added.filter(({ exit }) => exit !== 0).map(({ stdout }) => stdout),
      [],
    );
    assert.equal(new Set(added.map(addressOf)).size, PODS);
    assert.deepEqual(pods.map(addressIn), added.map(addressOf));

    const deleted = await atOnce(server, socketPath, all('DEL'));
    assert.deepEqual(
      deleted.filter(({ exit }) => exit !== 0).map(({ stdout }) => stdout),
      [],
    );
    assert.deepEqual(leftIn(dataDir), before);
    server.kill('SIGKILL');
    await once(server, 'exit');
    const log = { info() {}, warn() {}, error() {} };
    await using next = await startCniServer({ socketPath, stateDir: dir, nodeNetwork: () => ROUTED, log });
    assert.deepEqual(next.attachments(), []);
  });
}
