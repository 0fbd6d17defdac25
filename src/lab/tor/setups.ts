/** All that speaks BGP beside the nodes: its files and programs, and how the nodes call it. */

import { labPaths, nodeNetns, underlayNetns } from '#lab/names.ts';
import { familiesOf, type LabSpec, underlaySubnet, underlaySubnet6 } from '#lab/spec.ts';
import { birdRouter, birdSpine } from '#lab/tor/bird.ts';
import { frrRouter } from '#lab/tor/frr.ts';
import { gobgpRouter } from '#lab/tor/gobgp.ts';
import { type RouterKind, routersOf, spineOf } from '#lab/tor/routers.ts';
import type { RouterPlace, RouterSetup } from '#lab/tor/setup.ts';
import type { Addr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';

const SETUPS = { bird: birdRouter, frr: frrRouter, gobgp: gobgpRouter } as const satisfies Record<
  RouterKind,
  (place: RouterPlace) => RouterSetup
>;

export interface Speaker {
  /** Of its place and its programs: `tor.bird`, `underlay`. */
  readonly name: string;
  /** Name of its network namespace. */
  readonly netns: string;
  /** Folder of its files and sockets. */
  readonly dir: string;
  readonly setup: RouterSetup;
  /** Name of its BGPPeer; that of IPv6 ends in `-v6`. */
  readonly peer: string;
  readonly asNumber: number;
  /** Where nodes call it, by family. */
  readonly addrs: readonly Addr[];
}

export function speakersOf(spec: LabSpec): Speaker[] {
  const dirOf = (name: string) => `${labPaths(spec.name).runDir}/${name}`;
  const nodes = nodeNetworks(spec);
  const routers = routersOf(spec).map((router): Speaker => {
    const { name, kind, asNumber, addrs } = router;
    const dir = dirOf(name);
    const setup = SETUPS[kind]({ router, dir, nodes });
    return { name, netns: nodeNetns(spec.name, name), dir, setup, peer: `tor-${kind}`, asNumber, addrs };
  });
  const spine = spineOf(spec);
  if (spine === undefined) return routers;
  const dir = dirOf('underlay');
  const at = { name: 'underlay', netns: underlayNetns(spec.name), dir, setup: birdSpine(spine, dir, nodes) };
  return [...routers, { ...at, ...spine, peer: 'underlay' }];
}

function nodeNetworks(spec: LabSpec): Prefix[] {
  const subnets = Array.from({ length: spec.subnets }, (_, i) => i + 1);
  return familiesOf(spec).flatMap((family) =>
    subnets.map((subnet) => (family === 4 ? underlaySubnet(subnet) : underlaySubnet6(subnet))),
  );
}
