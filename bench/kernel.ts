/** `kernel`: what a pod costs in the kernel, from this process against a process of iproute2 or nft that does the same. */

import { spawnSync } from 'node:child_process';
import { type Bench, type Benchmark, type Measured, pairwise, timed } from '#bench/harness.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { openNft } from '#kernel/nft/nft.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { addrPlus, parseAddr } from '#net/addr.ts';
import { parseMac } from '#net/mac.ts';
import { hostPrefix, ifAddr, parsePrefix } from '#net/prefix.ts';
import { printOp } from '#wire/netlink/print.ts';
import {
  type NetlinkOp,
  NUD_PERMANENT,
  PROTO_BOOT,
  PROTO_POLDER,
  type Route,
  TABLE_MAIN,
} from '#wire/netlink/values.ts';
import { printTransaction } from '#wire/nft/print.ts';
import type { NftOp } from '#wire/nft/values.ts';

export const benchmark: Benchmark = {
  name: 'kernel',
  about: "a pod's netlink operations, a listing and an nft element, in process against ip and nft",
  run,
};

const PAIRS = 200;
const LINKS = 100;
const GATEWAY = parseAddr('169.254.1.1');
const FIRST = parseAddr('10.244.1.1');
const MAC = parseMac('ee:ee:ee:ee:ee:ee');
const ROUTE = { type: 'unicast', table: TABLE_MAIN, protocol: PROTO_BOOT, scope: 'link' } as const;

async function run(bench: Bench): Promise<readonly Measured[]> {
  return [await pod(bench), await listing(bench), await element(bench)];
}

/** The host's side and the pod's side of the routed attachment. */
function podOps(i: number, netns: number): { host: NetlinkOp[]; pod: NetlinkOp[] } {
  const addr = addrPlus(FIRST, i);
  const link = `cali${i}`;
  const route = (rest: Pick<Route, 'to' | 'hops'> & Partial<Route>): Route => ({ ...ROUTE, ...rest });
  return {
    host: [
      {
        op: 'link.add',
        link: {
          name: link,
          info: { kind: 'veth' },
          mac: MAC,
          mtu: 1450,
          up: true,
          peer: { name: 'eth0', mtu: 1450, netns },
        },
      },
      { op: 'route.replace', route: route({ to: hostPrefix(addr), protocol: PROTO_POLDER, hops: [{ link }] }) },
    ],
    pod: [
      { op: 'link.set', name: 'eth0', change: { up: true } },
      { op: 'addr.add', address: { link: 'eth0', address: ifAddr(addr, 32), scope: 'global' } },
      { op: 'route.add', route: route({ to: hostPrefix(GATEWAY), hops: [{ link: 'eth0' }] }) },
      {
        op: 'route.add',
        route: route({ to: parsePrefix('0.0.0.0/0'), scope: 'global', hops: [{ via: GATEWAY, link: 'eth0' }] }),
      },
      { op: 'neigh.replace', neighbour: { link: 'eth0', addr: GATEWAY, mac: MAC, state: NUD_PERMANENT } },
    ],
  };
}

/** The descriptor of the pod's namespace in a process of `ip`. */
const INHERITED = 3;

async function pod(bench: Bench): Promise<Measured> {
  bench.progress('pod: pair, up, address, routes, neighbour, host route');
  using host = scratchNetns();
  using netlink = openNetlink(host.fd);
  const ours = await pairwise(
    PAIRS,
    (i) => inPod(netlink, i, (ns) => runOps(netlink, ns, podOps(i, ns.fd))),
    (i) => inPod(netlink, i, (ns) => batches(host, ns, podOps(i, INHERITED))),
  );
  return measured('pod', 'ms', ours, 'ip -batch, one for each side', 0.25);
}

/** Milliseconds that `make` takes for a pod of its own, which is deleted again without being timed. */
async function inPod(netlink: Netlink, i: number, make: (ns: Netns) => void): Promise<number> {
  using ns = scratchNetns();
  const took = await timed(() => make(ns));
  await netlink.runAsync([{ op: 'link.del', name: `cali${i}` }]);
  return took;
}

function runOps(host: Netlink, ns: Netns, ops: ReturnType<typeof podOps>): void {
  using inside = openNetlink(ns.fd);
  const failures = [...host.run(ops.host), ...inside.run(ops.pod)];
  if (failures[0]) throw new Error(`${printOp(failures[0].op)}: ${failures[0].text ?? failures[0].code}`);
}

function batches(host: Netns, ns: Netns, ops: ReturnType<typeof podOps>): void {
  for (const [where, list] of [
    [host, ops.host],
    [ns, ops.pod],
  ] as const) {
    const input = list.map((op) => `${printOp(op).replace(/^ip /, '')}\n`).join('');
    inNetns(where, () => must(spawnSync('ip', ['-batch', '-'], { input, stdio: ['pipe', 'pipe', 'pipe', ns.fd] })));
  }
}

async function listing(bench: Bench): Promise<Measured> {
  bench.progress(`links: ${2 * LINKS + 1} listed`);
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  netlink.run(
    Array.from(
      { length: LINKS },
      (_, i): NetlinkOp => ({
        op: 'link.add',
        link: { name: `v${i}`, info: { kind: 'veth' }, peer: { name: `w${i}` } },
      }),
    ),
  );
  const samples = await pairwise(
    PAIRS / 4,
    () => timed(() => netlink.links()),
    () => timed(() => JSON.parse(must(inNetns(ns, () => spawnSync('ip', ['-details', '-json', 'link']))))),
  );
  return measured(`${2 * LINKS + 1} links listed`, 'ms', samples, 'ip -details -json', 0.5);
}

async function element(bench: Bench): Promise<Measured> {
  bench.progress('nft: one element');
  using ns = scratchNetns();
  using nft = openNft(ns);
  const table = { family: 'ip', name: 'bench' } as const;
  nft.apply(table, [{ op: 'table.add' }, { op: 'set.add', set: { name: 's', type: ['ipv4_addr'] } }]);
  const add = (i: number): NftOp[] => [{ op: 'element.add', set: 's', elements: [{ key: addrPlus(FIRST, i) }] }];
  const samples = await pairwise(
    PAIRS / 2,
    (i) => timed(() => nft.apply(table, add(2 * i))),
    (i) =>
      timed(() =>
        must(inNetns(ns, () => spawnSync('nft', ['-f', '-'], { input: printTransaction(table, add(2 * i + 1)) }))),
      ),
  );
  return measured('nft element', 'ms', samples, 'nft -f', 0.1);
}

function must(child: ReturnType<typeof spawnSync>): string {
  if (child.error) throw child.error;
  if (child.status !== 0) throw new Error(String(child.stderr));
  return String(child.stdout);
}

function measured(
  name: string,
  unit: string,
  samples: { ours: number[]; baseline: number[] },
  baseline: string,
  target: number,
): Measured {
  return { case: name, unit, ours: samples.ours, baseline: { name: baseline, samples: samples.baseline }, target };
}
