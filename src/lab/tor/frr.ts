/** A top-of-rack router of FRR: zebra keeps the kernel's routes, bgpd speaks (docs.frrouting.org, BGP and Zebra). */

import type { RouterPlace, RouterSetup } from '#lab/tor/setup.ts';
import type { Family } from '#net/addr.ts';
import { type Prefix, prefixFamily } from '#net/prefix.ts';

/** Where Debian has its daemons. */
const BIN = '/usr/lib/frr';

export function frrRouter(place: RouterPlace): RouterSetup {
  const { dir } = place;
  const common = ['--vty_socket', dir, '-z', `${dir}/zserv.sock`, '-A', '127.0.0.1', '-P', '0', '--log', 'stdout'];
  const program = (name: string) => ({
    name,
    binary: `${BIN}/${name}`,
    args: ['-f', `${dir}/${name}.conf`, '-i', `${dir}/${name}.run`, ...common],
  });
  return {
    files: { 'zebra.conf': zebraConf(), 'bgpd.conf': bgpdConf(place) },
    programs: [program('zebra'), program('bgpd')],
    user: 'frr',
    needs: { [`${BIN}/bgpd`]: 'frr' },
  };
}

/** Nodes in another subnet are reached by the default route. */
function zebraConf(): string {
  return lines(['hostname tor-frr', 'ip nht resolve-via-default', 'ipv6 nht resolve-via-default']);
}

function bgpdConf({ router, nodes }: RouterPlace): string {
  const { addr, asNumber, networks } = router;
  const families = networks.map(prefixFamily);
  const groups = families.map(groupOf);
  return lines([
    'hostname tor-frr',
    `router bgp ${asNumber}`,
    ` bgp router-id ${addr}`,
    ' no bgp default ipv4-unicast',
    // Peers of other ASes are told and heard without a policy (RFC 8212 wants one).
    ' no bgp ebgp-requires-policy',
    ' no bgp network import-check',
    ...groups.flatMap((group) => [
      ` neighbor ${group} peer-group`,
      ` neighbor ${group} remote-as external`,
      ` neighbor ${group} ebgp-multihop 64`,
    ]),
    ...nodes
      .filter((range) => families.includes(prefixFamily(range)))
      .map((range) => ` bgp listen range ${range} peer-group ${groupOf(prefixFamily(range))}`),
    ...networks.flatMap(announced),
  ]);
}

function announced(network: Prefix): string[] {
  const family = prefixFamily(network);
  return [
    ` address-family ipv${family} unicast`,
    `  neighbor ${groupOf(family)} activate`,
    `  network ${network}`,
    ' exit-address-family',
  ];
}

function groupOf(family: Family): string {
  return `NODES${family}`;
}

function lines(all: readonly string[]): string {
  return ['! Written by `polder lab up --tor`.', ...all].map((line) => `${line}\n`).join('');
}
