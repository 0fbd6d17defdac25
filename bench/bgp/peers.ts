/** Two hundred peers for one node: one BIRD with a table and a session for each, so that each is told and tells by itself. */

import { setTimeout as delay } from 'node:timers/promises';
import { birdAt } from '#kernel/bird/bird.ts';
import type { BirdControl } from '#kernel/bird/handle.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import { ifAddr, type Prefix, parsePrefix } from '#net/prefix.ts';
import { ending } from '#wire/bird/reply.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

export const PEERS = 200;
const ROUTES_EACH = 100;
export const ROUTES = PEERS * ROUTES_EACH;
export const NODE_ADDR = parseAddr('192.168.1.101');
const AS = 64_512;
const LENGTH = 16;
const PATIENCE_MS = 60_000;
/** BIRD lets one session at a time have a neighbour's address and port. They never call, so that the port is but a name. */
const FIRST_PORT = 20_000;

export function peerAddr(index: number): Addr {
  return parseAddr(`192.168.2.${index}`);
}

/** A node's namespace and its peers', joined by a wire. */
export interface Place extends Disposable {
  readonly node: Netns;
  readonly peers: Netns;
  readonly netlink: Netlink;
}

export function makePlace(): Place {
  const stack = new DisposableStack();
  const node = stack.use(scratchNetns());
  const peers = stack.use(scratchNetns());
  const netlink = stack.use(openNetlink(node.fd));
  const behind = stack.use(openNetlink(peers.fd));
  const wire = { name: 'eth0', info: { kind: 'veth' }, peer: { name: 'eth0', netns: peers.fd } } as const;
  const up = (name: string): NetlinkOp => ({ op: 'link.set', name, change: { up: true } });
  const address = (addr: Addr): NetlinkOp => {
    return { op: 'addr.add', address: { link: 'eth0', address: ifAddr(addr, LENGTH), scope: 'global' } };
  };
  must(netlink, [{ op: 'link.add', link: wire }, up('lo'), up('eth0'), address(NODE_ADDR)]);
  must(behind, [up('lo'), up('eth0'), ...indexes().map((i) => address(peerAddr(i)))]);
  return { node, peers, netlink, [Symbol.dispose]: () => stack.dispose() };
}

export class Peers implements AsyncDisposable {
  readonly #control: BirdControl;

  private constructor(control: BirdControl) {
    this.#control = control;
  }

  static async start(place: Place, dir: string): Promise<Peers> {
    const bird = birdAt({ dir, socket: `${dir}/bird.ctl`, netns: place.peers });
    const wrong = await bird.writeConf(configuration());
    if (wrong !== undefined) throw new Error(wrong);
    return new Peers(await bird.start({ recover: false }));
  }

  /** Asks one after another until each is told of the network, or no more is. Whoever has come so far is not asked again. */
  async until(net: Prefix, told: boolean): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (const i of indexes()) {
      while ((await this.#knows(i, net)) !== told) {
        if (Date.now() > end) throw new Error(`peer ${i} ${told ? 'is not' : 'is still'} told of ${net}`);
        await delay(1);
      }
    }
  }

  async #knows(index: number, net: Prefix): Promise<boolean> {
    return ending(await this.#control.ask(`show route ${net} table t${index}`)).code === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#control.ask('down');
    await this.#control.closed;
  }
}

function indexes(): number[] {
  return Array.from({ length: PEERS }, (_, i) => i + 1);
}

/** Networks that a peer tells of: parts of 10.INDEX.0.0/16. */
function blocksOf(index: number): Prefix[] {
  return Array.from({ length: ROUTES_EACH }, (_, k) => parsePrefix(`10.${index}.${k}.0/26`));
}

function configuration(): string {
  const one = (i: number): string => `
ipv4 table t${i};
protocol static s${i} { ipv4 { table t${i}; }; ${blocksOf(i)
    .map((net) => `route ${net} blackhole;`)
    .join(' ')} }
protocol bgp p${i} {
  local ${peerAddr(i)} as ${AS}; neighbor ${NODE_ADDR} port ${FIRST_PORT + i} as ${AS}; direct; strict bind on; passive;
  connect delay time 1; error wait time 1, 2;
  ipv4 { table t${i}; import all; export where source = RTS_STATIC; };
}`;
  return `router id 192.168.2.250;\nprotocol device {}\n${indexes().map(one).join('')}\n`;
}

function must(netlink: Netlink, ops: readonly NetlinkOp[]): void {
  const [failure] = netlink.run(ops);
  if (failure) throw new Error(`${JSON.stringify(failure.op)}: ${failure.code} ${failure.text ?? ''}`);
}
