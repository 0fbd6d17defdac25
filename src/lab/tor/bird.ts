/** A top-of-rack router of BIRD 2: it takes whoever calls from the nodes' networks (User's Guide, 6.3). */

import type { RouterPlace, RouterSetup } from '#lab/tor/setup.ts';
import { type Prefix, prefixFamily } from '#net/prefix.ts';

export function birdRouter({ router, dir, nodes }: RouterPlace): RouterSetup {
  const { addr, asNumber, networks } = router;
  const bgp = networks.flatMap((network) =>
    nodes
      .filter((range) => prefixFamily(range) === prefixFamily(network))
      .map((range) => sessions(asNumber, range, network)),
  );
  const conf = `# Written by \`polder lab up --tor\`.
log stderr all;
router id ${addr};
protocol device { scan time 10; }
protocol direct { ipv4; ipv6; interface "eth0", "lan"; }
${networks.map(kernel).join('\n')}
${bgp.join('\n')}
`;
  return {
    files: { 'bird.conf': conf },
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

function sessions(asNumber: number, range: Prefix, network: Prefix): string {
  const family = prefixFamily(network);
  return `protocol bgp nodes_${range.replace(/[^0-9a-f]/g, '_')} {
  local as ${asNumber};
  neighbor range ${range} external;
  dynamic name "node${family}_";
  multihop;
  graceful restart on;
  ipv${family} { import all; export where net = ${network}; };
}`;
}
