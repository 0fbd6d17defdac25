/** A top-of-rack router of GoBGP (its docs/sources/configuration.md). What it announces is said to the running daemon. */

import type { RouterPlace, RouterSetup } from '#lab/tor/setup.ts';
import { type Addr, familyOf } from '#net/addr.ts';
import { prefixFamily } from '#net/prefix.ts';
import { DEFAULT_BGP_CONFIGURATION } from '#spec/bgp.ts';

/** On the loopback of its own namespace: a socket of the file system that a kill has left makes its next start fail. */
const API = '127.0.0.1:50051';

export function gobgpRouter(place: RouterPlace): RouterSetup {
  const { dir } = place;
  return {
    files: { 'gobgpd.toml': configuration(place), 'run.sh': script(place) },
    programs: [{ name: 'gobgpd', binary: 'sh', args: [`${dir}/run.sh`] }],
    needs: { gobgpd: 'gobgpd', gobgp: 'gobgpd' },
  };
}

/** Peers whom it takes by their addresses must be of the AS that it is told: the cluster's own by default. */
function configuration({ router, nodes }: RouterPlace): string {
  const families = router.networks.map(prefixFamily);
  const ranges = nodes.filter((range) => families.includes(prefixFamily(range)));
  return `# Written by \`polder lab up --tor\`.
[global.config]
  as = ${router.asNumber}
  router-id = "${router.addr}"
${families.map(peerGroup).join('')}${ranges
  .map(
    (range) => `[[dynamic-neighbors]]
  [dynamic-neighbors.config]
    prefix = "${range}"
    peer-group = "nodes${prefixFamily(range)}"
`,
  )
  .join('')}`;
}

function peerGroup(family: number): string {
  return `[[peer-groups]]
  [peer-groups.config]
    peer-group-name = "nodes${family}"
    peer-as = ${DEFAULT_BGP_CONFIGURATION.asNumber}
  [peer-groups.ebgp-multihop.config]
    enabled = true
    multihop-ttl = 64
  [[peer-groups.afi-safis]]
    [peer-groups.afi-safis.config]
      afi-safi-name = "ipv${family}-unicast"
`;
}

function script({ router, dir }: RouterPlace): string {
  const { networks, addrs } = router;
  const add = networks.map((network) => {
    const family = prefixFamily(network);
    return `  gobgp global rib add -a ipv${family} ${network} nexthop ${addrOfFamily(addrs, family)}`;
  });
  return `# Written by \`polder lab up --tor\`: GoBGP's configuration has no place for what it announces.
{
  until gobgp global >/dev/null 2>&1; do kill -0 $$ || exit; sleep 0.1; done
${add.join('\n')}
} &
exec gobgpd -f ${dir}/gobgpd.toml --api-hosts ${API} --pprof-disable -p
`;
}

function addrOfFamily(addrs: readonly Addr[], family: number): Addr | undefined {
  return addrs.find((addr) => familyOf(addr) === family);
}
