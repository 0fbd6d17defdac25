/**
 * The top-of-rack routers of a lab (`lab up --tor`): BIRD, FRR and GoBGP, each in a namespace of its own on the nodes'
 * subnet 1, with a network behind it that one host stands in. Nobody here wrote them: what they hear is heard by others.
 */

import {
  familiesOf,
  gateway6Of,
  gatewayOf,
  type LabSpec,
  type NodeSpec,
  nodeAddr6,
  underlaySubnet,
} from '#lab/spec.ts';
import { type Addr, addrPlus, type Family } from '#net/addr.ts';
import { addrOf, type Prefix, parsePrefix } from '#net/prefix.ts';

export type RouterKind = 'bird' | 'frr' | 'gobgp';

export interface Router {
  readonly kind: RouterKind;
  /** Of its namespace and its programs: `tor.bird`. No node's name has a dot. */
  readonly name: string;
  readonly asNumber: number;
  /** On the nodes' subnet 1. */
  readonly addr: Addr;
  /** By family, of those that the lab has. */
  readonly addrs: readonly Addr[];
  /** What it announces, by family: documentation's networks (RFC 5737, RFC 3849). */
  readonly networks: readonly Prefix[];
  /**
   * Whether it puts what it hears into its kernel. Debian's GoBGP does not: it leaves that to FRR's zebra, but 3.10 ends
   * on the messages of zebra 8.4.
   */
  readonly forwards: boolean;
}

const ROWS = [
  { kind: 'bird', asNumber: 64_601, host: 11, networks: ['203.0.113.0/26', '2001:db8:113:1::/64'], forwards: true },
  { kind: 'frr', asNumber: 64_602, host: 12, networks: ['203.0.113.64/26', '2001:db8:113:2::/64'], forwards: true },
  { kind: 'gobgp', asNumber: 64_603, host: 13, networks: ['203.0.113.128/26', '2001:db8:113:3::/64'], forwards: false },
] as const satisfies readonly { readonly kind: RouterKind; readonly [more: string]: unknown }[];

/** All of them; none of a lab without. */
export function routersOf(spec: LabSpec): Router[] {
  if (spec.tor !== true) return [];
  const families = familiesOf(spec);
  return ROWS.map(({ kind, asNumber, host, networks, forwards }) => {
    const addr = addrPlus(addrOf(underlaySubnet(1)), host);
    const by: Readonly<Record<Family, Addr>> = { 4: addr, 6: nodeAddr6({ subnet: 1, addr }) };
    const all: Readonly<Record<Family, Prefix>> = { 4: parsePrefix(networks[0]), 6: parsePrefix(networks[1]) };
    return {
      ...{ kind, name: `tor.${kind}`, asNumber, addr, forwards },
      addrs: families.map((family) => by[family]),
      networks: families.map((family) => all[family]),
    };
  });
}

/**
 * The router between two subnets, which then speaks BGP, too: it passes pods' packets from one to the other, and would not
 * know where pods are. It tells nothing.
 */
export interface Spine {
  readonly asNumber: number;
  /** By family, of those that the lab has. */
  readonly addrs: readonly Addr[];
  /** Routers that it calls itself, for the way back to the networks behind them. */
  readonly calls: readonly Router[];
}

export function spineOf(spec: LabSpec): Spine | undefined {
  if (spec.tor !== true || spec.subnets === 1) return undefined;
  const addrs = familiesOf(spec).map((family) => (family === 4 ? gatewayOf(1) : gateway6Of(1)));
  return { asNumber: 64_600, addrs, calls: routersOf(spec).filter(({ forwards }) => forwards) };
}

/** It is wired to the underlay as a node is. */
export function asNode({ name, addr }: Router): NodeSpec {
  return { name, subnet: 1, addr, labels: {}, taints: [] };
}

/** Name of the host behind it: `tor.bird.host`. */
export function hostName({ name }: Router): string {
  return `${name}.host`;
}

/** The router's own address in a network behind it. */
export function lanAddr(network: Prefix): Addr {
  return addrPlus(addrOf(network), 1);
}

/** The address of the host there. */
export function hostAddr(network: Prefix): Addr {
  return addrPlus(addrOf(network), 10);
}
