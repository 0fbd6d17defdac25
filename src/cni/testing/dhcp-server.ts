/** Real DHCP servers, Debian's dnsmasq and Kea, in a network namespace of their own, at the other end of a link of the node. */

import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { pathOf } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

export const DNSMASQ = ['/usr/sbin/dnsmasq', '/usr/local/sbin/dnsmasq'].find((path) => existsSync(path));

/** Why tests with it cannot run, or false. */
export const noDnsmasq: string | false = DNSMASQ ? false : 'dnsmasq is not installed (Debian: dnsmasq-base)';

export interface DhcpServer {
  /** What it has said so far. */
  readonly log: string;
  /** Resolves when the server has said something that matches, from now on or, with `ever`, at any time. */
  says(pattern: RegExp, ever?: boolean): Promise<string>;
  /** Lines of its list of leases: end, MAC, address, name, client identifier. */
  leases(): string[];
  /** SIGKILL: it says nothing to anybody. */
  stop(): Promise<void>;
}

/** How long a test waits for what a server must say, milliseconds. */
const PATIENCE_MS = 30_000;

/** A segment: `ifname` of the node leads to it, the server's end is `srv0` there. */
export function makeSegment(t: TestContext, ifname: string, server: string, more = ''): Netns {
  const netns = scratchNetns();
  t.after(() => netns.close());
  sh(`ip link add ${ifname} type veth peer name srv0 netns ${pathOf(netns)} && ip link set ${ifname} up ${more}`);
  sh(`ip link set lo up; ip addr add ${server} dev srv0 && ip link set srv0 up`, netns);
  return netns;
}

/** @param options of dnsmasq(8), `dhcp-range` among them. */
export async function startDnsmasq(
  t: TestContext,
  netns: Netns,
  options: readonly string[],
  dir = mkdtempSync(join(tmpdir(), 'pt-dhcp-')),
): Promise<DhcpServer> {
  const file = join(dir, 'leases');
  const own = [
    ...['no-daemon', 'conf-file=/dev/null', 'port=0', 'bind-dynamic', 'except-interface=lo', 'no-ping', 'log-dhcp'],
    ...['log-facility=-', 'user=root', 'group=root', `pid-file=${join(dir, 'pid')}`, `dhcp-leasefile=${file}`],
  ];
  const argv = [...own, ...options].map((option) => `--${option}`);
  const child = inNetns(netns, () => spawn(DNSMASQ ?? '', argv, { stdio: ['ignore', 'ignore', 'pipe'] }));
  const server = serverOf(child, () => (existsSync(file) ? readFileSync(file, 'utf8') : ''));
  t.after(async () => {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  await server.says(/DHCP, IP range/, true);
  return server;
}

export const KEA = ['/usr/sbin/kea-dhcp4'].find((path) => existsSync(path));

export const noKea: string | false = KEA ? false : 'kea-dhcp4 is not installed (Debian: kea-dhcp4-server)';

/** ISC's Kea, which also gives leases of seconds. @param dhcp4 keys of `Dhcp4` beside those that a test always has */
export async function startKea(t: TestContext, netns: Netns, dhcp4: object): Promise<DhcpServer> {
  const dir = mkdtempSync(join(tmpdir(), 'pt-kea-'));
  const own = {
    // A new link says a moment later that it is running.
    'interfaces-config': {
      interfaces: ['srv0'],
      'service-sockets-max-retries': 100,
      'service-sockets-retry-wait-time': 50,
    },
    'lease-database': { type: 'memfile', persist: true, name: join(dir, 'leases'), 'lfc-interval': 0 },
    loggers: [{ name: 'kea-dhcp4', severity: 'DEBUG', debuglevel: 40, output_options: [{ output: 'stderr' }] }],
  };
  writeFileSync(join(dir, 'conf'), JSON.stringify({ Dhcp4: { ...own, ...dhcp4 } }));
  const env = { PATH: '/usr/sbin:/usr/bin', KEA_PIDFILE_DIR: dir, KEA_LOCKFILE_DIR: dir };
  const argv = ['-c', join(dir, 'conf')];
  const child = inNetns(netns, () => spawn(KEA ?? '', argv, { env, stdio: ['ignore', 'ignore', 'pipe'] }));
  const server = serverOf(child, () => readFileSync(join(dir, 'leases'), 'utf8'));
  t.after(async () => {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  await server.says(/DHCP4_STARTED/, true);
  return server;
}

function serverOf(child: ChildProcessByStdio<null, null, Readable>, leases: () => string): DhcpServer {
  let log = '';
  const waiting = new Set<() => void>();
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
    for (const look of waiting) look();
  });
  return {
    get log() {
      return log;
    },
    says(pattern, ever = false) {
      const from = ever ? 0 : log.length;
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const late = setTimeout(() => reject(new Error(`the server did not say ${pattern}:\n${log}`)), PATIENCE_MS);
      const look = () => {
        const found = pattern.exec(log.slice(from));
        if (found) resolve(found[0]);
      };
      waiting.add(look);
      look();
      return promise.finally(() => {
        waiting.delete(look);
        clearTimeout(late);
      });
    },
    leases: () =>
      leases()
        .split('\n')
        .filter((line) => line !== ''),
    async stop() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

/** IPv4 addresses with their lengths. */
export function addressesOf(netns: Netns, ifname: string): string[] {
  const run = () => spawnSync('ip', ['-4', '-br', 'addr', 'show', 'dev', ifname], { encoding: 'utf8' });
  return inNetns(netns, run).stdout.trim().split(/\s+/).slice(2);
}
