/** Nodes in namespaces on one subnet, each with a real BIRD and its keeper: for tests of BGP as a whole. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { calcBgp } from '#calc/bgp/bgp.ts';
import type { PasswordOf } from '#calc/bgp/bird-conf.ts';
import type { BgpState } from '#calc/bgp/state.ts';
import type { Underlay } from '#calc/state.ts';
import { bgpCluster, bgpNode } from '#calc/testing/bgp-clusters.ts';
import { type BirdFiles, birdAt } from '#kernel/bird/bird.ts';
import { connectBird } from '#kernel/bird/control.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { parseIfAddr } from '#net/prefix.ts';
import type { Snapshot } from '#spec/cluster.ts';
import { BirdKeeper } from '#sync/bird.ts';
import { hasBirdRoutes, sweepBirdRoutes } from '#sync/drivers/bird-routes.ts';
import { type NetlinkOp, PROTO_BIRD } from '#wire/netlink/values.ts';

export interface BirdNode {
  readonly name: string;
  readonly netns: Netns;
  readonly netlink: Netlink;
  readonly files: BirdFiles;
  readonly keeper: BirdKeeper;
  /** What the keeper said, in order. */
  readonly said: string[];
  /** Ends the keeper as an agent that ends would: BIRD goes on. */
  endKeeper(): Promise<void>;
}

export class BirdNodes implements AsyncDisposable {
  readonly nodes: BirdNode[] = [];
  readonly #dir = mkdtempSync(join(tmpdir(), 'polder-bird-'));
  readonly #stack = new DisposableStack();
  readonly #switch: Netns;
  readonly #bridge: Netlink;

  constructor(count: number) {
    this.#switch = this.#stack.use(scratchNetns());
    this.#bridge = this.#stack.use(openNetlink(this.#switch.fd));
    must(this.#bridge, [
      { op: 'link.add', link: { name: 'br0', info: { kind: 'bridge' } } },
      { op: 'link.set', name: 'br0', change: { up: true } },
    ]);
    for (let i = 1; i <= count; i++) this.nodes.push(this.#node(`node${i}`, i));
  }

  /** A namespace with `eth0` on the subnet; lives as long as the nodes. */
  host(index: number): { readonly netns: Netns; readonly netlink: Netlink } {
    const netns = this.#stack.use(scratchNetns());
    const netlink = this.#stack.use(openNetlink(netns.fd));
    const peer = { name: 'eth0', netns: netns.fd };
    must(this.#bridge, [
      { op: 'link.add', link: { name: `p${index}`, info: { kind: 'veth' }, up: true, master: 'br0', peer } },
    ]);
    const address = parseIfAddr(`192.168.1.${index}/24`);
    must(netlink, [
      { op: 'link.set', name: 'lo', change: { up: true } },
      { op: 'link.set', name: 'eth0', change: { up: true } },
      { op: 'addr.add', address: { link: 'eth0', address, scope: 'global' } },
    ]);
    return { netns, netlink };
  }

  /** A folder that goes with the nodes. */
  folder(name: string): string {
    return join(this.#dir, name);
  }

  #node(name: string, index: number): BirdNode {
    const host = this.host(100 + index);
    const dir = this.folder(name);
    const files = { dir, socket: join(dir, 'bird.ctl'), netns: host.netns };
    return this.keep({ name, ...host, files });
  }

  /** A keeper, as a new agent on the node would have one. */
  keep(
    node: Pick<BirdNode, 'name' | 'netns' | 'netlink' | 'files'>,
    passwordOf: PasswordOf = () => undefined,
  ): BirdNode {
    const said: string[] = [];
    const keeper = new BirdKeeper({
      bird: birdAt(node.files),
      passwordOf,
      recovers: () => hasBirdRoutes(node.netlink),
      sweep: () => sweepBirdRoutes(node.netlink),
      onChange: (what) => said.push(what),
    });
    const stop = new AbortController();
    const running = keeper.run(stop.signal);
    const endKeeper = async () => {
      stop.abort();
      await running;
    };
    return { ...node, keeper, said, endKeeper };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) {
      await node.endKeeper();
      using control = await connectBird(node.files.socket);
      await control?.ask('down');
      await control?.closed;
    }
    this.#stack.dispose();
    rmSync(this.#dir, { recursive: true });
  }
}

/** The state of one node of the snapshot. */
export function bgpStateOf(snapshot: Snapshot, node: string): BgpState {
  const self = snapshot.nodes.find(({ name }) => name === node);
  if (!self) throw new Error(`The snapshot has no ${node}`);
  const underlay: Underlay = { ifname: 'eth0', addrs: [parseIfAddr(`${self.addr}/24`)], mtu: 1500 };
  const { state, problems } = calcBgp({ ...snapshot, local: { node, endpoints: [] } }, self, underlay);
  if (!state) throw new Error(problems[0]?.sentence ?? 'no BGP');
  return state;
}

/** A cluster of so many nodes, in a mesh. */
export function meshOf(count: number): Snapshot {
  return bgpCluster({ nodes: Array.from({ length: count }, (_, i) => bgpNode(`node${i + 1}`, i + 1)) });
}

/** Networks that BIRD has put into the node's kernel. */
export function birdRoutes({ netlink }: Pick<BirdNode, 'netlink'>): string[] {
  return netlink
    .routes({ protocol: PROTO_BIRD })
    .map(({ to }) => to)
    .sort();
}

/** Process id of the BIRD of these files. */
export function birdPid({ files }: Pick<BirdNode, 'files'>): number {
  const found = readdirSync('/proc').filter((name) => {
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      return /^\d+$/.test(name) && words.includes(files.socket);
    } catch {
      return false;
    }
  });
  if (found.length !== 1) throw new Error(`There are ${found.length} BIRDs with ${files.socket}`);
  return Number(found[0]);
}

/** Asks until it holds. @throws Error after 20 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`Waited in vain until ${what}`);
    await delay(10);
  }
}

function must(netlink: Netlink, ops: readonly NetlinkOp[]): void {
  const [failure] = netlink.run(ops);
  if (failure) throw new Error(`${JSON.stringify(failure.op)}: ${failure.code} ${failure.text ?? ''}`);
}
