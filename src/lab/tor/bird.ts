/** Routers of BIRD 2: they take whoever calls from the nodes' networks (User's Guide, 6.3). */

import type { Router, Spine } from '#lab/tor/routers.ts';
import type { RouterPlace, RouterSetup } from '#lab/tor/setup.ts';
import { type Addr, familyOf } from '#net/addr.ts';
import { type Prefix, prefixFamily } from '#net/prefix.ts';

export function birdRouter({ router, dir, nodes }: RouterPlace): RouterSetup {
  const { addr, asNumber, networks } = router;
  const bgp = networks.flatMap((network) =>
    nodes
      .filter((range) => prefixFamily(range) === prefixFamily(network))
      .map((range) => sessions(asNumber, range, `where net = ${network}`)),
  );
  return setup(dir, [
    `router id ${addr};`,
    'protocol direct { ipv4; ipv6; interface "eth0", "lan"; }',
    ...networks.map(kernel),
    ...bgp,
  ]);
}

/** It stands in each of the subnets; what it hears there it passes on to nobody. */
export function birdSpine(
  { addrs: [addr], asNumber, calls }: Spine,
  dir: string,
  nodes: readonly Prefix[],
): RouterSetup {
  const families = [...new Set(nodes.map(prefixFamily))];
  return setup(dir, [
    `router id ${addr};`,
    'protocol direct { ipv4; ipv6; interface "br*"; }',
    ...families.map(
      (family) => `protocol kernel kernel${family} {\n  ipv${family} { export where source = RTS_BGP; };\n}`,
    ),
    ...nodes.map((range) => sessions(asNumber, range, 'none')),
    ...calls.flatMap((router) => router.addrs.map((one) => session(asNumber, router, one))),
  ]);
}

function setup(dir: string, protocols: readonly string[]): RouterSetup {
  const head = ['# Written by `polder lab up --tor`.', 'log stderr all;', 'protocol device { scan time 10; }'];
  return {
    files: { 'bird.conf': `${[...head, ...protocols].join('\n')}\n` },
    programs: [{ name: 'bird', binary: 'bird', args: ['-f', '-c', `${dir}/bird.conf`, '-s', `${dir}/bird.ctl`] }],
    needs: { bird: 'bird2' },
  };
}

/** Nodes in another subnet are reached by the default route, so that one is learned. */
function kernel(network: Prefix): string {
  const family = prefixFamily(network);
  return `protocol kernel kernel${family} {
  learn;
  ipv${family} { import where net = ${family === 4 ? '0.0.0.0/0' : '::/0'}; export where source = RTS_BGP; };
}`;
}

function session(asNumber: number, router: Router, addr: Addr): string {
  const family = familyOf(addr);
  return `protocol bgp ${router.kind}${family} {
  local as ${asNumber};
  neighbor ${addr} as ${router.asNumber};
  graceful restart on;
  ipv${family} { import all; export none; };
}`;
}

function sessions(asNumber: number, range: Prefix, told: string): string {
  const family = prefixFamily(range);
  const name = range.replace(/[^0-9a-f]/g, '_');
  return `protocol bgp nodes_${name} {
  local as ${asNumber};
  neighbor range ${range} external;
  dynamic name "node${name}_";
  multihop;
  graceful restart on;
  ipv${family} { import all; export ${told}; };
}`;
}
