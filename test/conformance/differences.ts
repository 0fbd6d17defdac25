/** Why the reference fails cases of the suite: every one of its failures that is kept must be told here. */

import { DEBIAN_TYPES } from '#test/conformance/debian.ts';
import type { Results, TypeResult } from '#test/conformance/results.ts';

export interface Difference {
  /** Names without the type. */
  readonly cases: readonly string[];
  /** Absent: of every type. */
  readonly types?: readonly string[];
  /** Cases that kill or race: it fails in one run and passes in the next. */
  readonly byMoment?: true;
  /** What the reference does. */
  readonly why: string;
  readonly polder: string;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    cases: ['error.cniVersion'],
    why: 'its error object has `code`, `msg` and `details` only; the specification also lists `cniVersion`',
    polder: 'gives it',
  },
  {
    cases: ['env.ADD-without-CNI_COMMAND'],
    why: 'without CNI_COMMAND it prints an "about" line for people on standard error and exits with 0, so that a person who starts it learns what it is; a runtime cannot tell that from success',
    polder: 'code 4',
  },
  {
    cases: ['version.echo'],
    why: 'VERSION always prints 1.0.0; the specification says the version that was asked with',
    polder: 'prints it',
  },
  {
    cases: ['versions.0.1.0', 'versions.0.2.0', 'versions.0.3.0', 'versions.0.3.1', 'versions.0.4.0'],
    types: ['loopback'],
    why: 'without `prevResult` it prints the newest shape whatever version was asked for',
    polder: 'converts it',
  },
  {
    cases: ['ipam.exhausted'],
    types: ['bridge', 'macvlan'],
    why: 'makes the interface first, then asks for an address, and does not take the interface back when there is none',
    polder: 'undoes itself',
  },
  {
    cases: ['add.forceAddress'],
    types: ['bridge'],
    why: 'refuses the bridge’s other address, but leaves the pod’s interface',
    polder: 'undoes itself',
  },
  {
    cases: ['add.netns-own'],
    types: ['bridge', 'ptp', 'macvlan', 'vlan', 'ipvlan', 'host-device', 'loopback'],
    why: 'takes the node’s own namespace for a pod’s, and changes the node',
    polder: 'code 8',
  },
  {
    cases: [
      'add.effect.vlanTrunk',
      'add.effect.preserveDefaultVlan',
      'add.effect.disableContainerInterface',
      'add.effect.portIsolation',
      'traffic.portIsolation',
    ],
    types: ['bridge'],
    why: 'release 1.1.1 does not know these keys and ignores them',
    polder: 'knows them',
  },
  {
    cases: ['add.linkInContainer'],
    types: ['macvlan', 'vlan', 'ipvlan'],
    why: 'release 1.1.1 does not know this key, and looks for the master on the node',
    polder: 'knows it',
  },
  {
    cases: ['add.effect.txQLen'],
    types: ['tuning'],
    why: 'release 1.1.1 does not know this key and ignores it',
    polder: 'knows it',
  },
  {
    cases: ['killed.add'],
    types: ['macvlan'],
    byMoment: true,
    why: 'makes the macvlan under a temporary name and renames it: killed in between, that name stays and DEL does not know it',
    polder: 'one step',
  },
  {
    cases: ['killed.add'],
    types: ['host-local'],
    byMoment: true,
    why: 'makes the address’s file first and writes the owner into it after: killed in between, nobody owns the address',
    polder: 'the file appears whole',
  },
  {
    cases: ['env.bad-args', 'add.name-taken', 'ipam.exhausted'],
    types: ['host-device'],
    why: 'the device stays in the pod when ADD fails',
    polder: 'it comes back',
  },
  {
    cases: ['del.unknown', 'del.twice', 'killed.add', 'killed.del', 'parallel.same-del', 'del.netns-gone'],
    types: ['host-device'],
    why: 'DEL fails if the device is not in the pod any more, or the namespace is gone; containerd sends DEL twice',
    polder: 'succeeds',
  },
  {
    cases: ['del.netns-empty'],
    types: ['host-device'],
    why: 'returns before the IPAM plugin is called: the address is never freed',
    polder: 'frees it',
  },
  {
    cases: ['del.device-returns'],
    types: ['host-device'],
    why: 'the alias that remembers the device’s name is left on it',
    polder: 'taken off',
  },
  {
    cases: ['check.ok', 'del.others', 'parallel.mixed'],
    types: ['portmap'],
    why: 'CHECK looks for IPv6 rules although ADD made none, because the pod has no IPv6 address',
    polder: 'looks for what ADD made',
  },
  {
    cases: ['parallel.same-del'],
    types: ['portmap', 'bridge', 'ptp', 'macvlan', 'vlan', 'ipvlan', 'vrf'],
    byMoment: true,
    why: 'two DELs at once: the second finds what it listed gone, and fails',
    polder: 'one after the other',
  },
  {
    cases: ['check.qdisc-gone'],
    types: ['bandwidth'],
    why: 'CHECK succeeds when the token bucket of the node’s end is gone',
    polder: 'tells it',
  },
  {
    cases: ['del.netns-gone', 'del.netns-empty'],
    types: ['tuning'],
    why: 'the file of saved values stays for ever when the namespace went first',
    polder: 'removed',
  },
  {
    cases: ['del.without-prevResult'],
    types: ['firewall'],
    why: 'knows the addresses from `prevResult` only: without it the rules stay, and hold for whoever gets the address next',
    polder: 'keeps the owner with each element',
  },
  {
    cases: ['killed.add'],
    types: ['firewall'],
    byMoment: true,
    why: 'the same: of an ADD that was killed there is no result',
    polder: 'keeps the owner with each element',
  },
  {
    cases: ['add.twice'],
    types: ['sbr'],
    why: 'a second ADD adds a second table and rule',
    polder: 'refused, and the first stays',
  },
  {
    cases: ['del.unknown', 'del.twice', 'del.netns-gone', 'del.netns-empty'],
    types: ['sbr'],
    why: 'DEL fails if the interface or the namespace is gone; with a namespace that is gone it *creates an ordinary file* of that path as its lock, on which the DELs of other plugins then fail too',
    polder: 'succeeds',
  },
  {
    cases: ['check.never-added'],
    types: ['sbr'],
    why: 'it has no CHECK: it always succeeds',
    polder: 'compares',
  },
  {
    cases: ['del.restores'],
    types: ['vrf'],
    why: 'DEL takes the interface out of the VRF and leaves it there without the default route that it had before',
    polder: 'puts it back',
  },
  {
    cases: ['add.routes'],
    types: ['vrf'],
    why: 'the kernel takes the interface down and up as it goes into the VRF: the routes by gateways are lost',
    polder: 'puts them into the VRF’s table',
  },
  {
    cases: ['check.master-gone', 'check.never-added'],
    types: ['vrf'],
    why: 'CHECK succeeds though the interface is in no VRF, or there is none',
    polder: 'tells it',
  },
  {
    cases: ['env.bad-args', 'ipam.exhausted'],
    types: ['vlan', 'ipvlan'],
    why: 'makes the interface first, and does not take it back when the IPAM plugin refuses',
    polder: 'undoes itself',
  },
  {
    cases: ['add.name-taken', 'add.twice'],
    types: ['vlan', 'ipvlan'],
    why: 'makes the interface under a temporary name and renames it: if the name is taken, that one stays in the pod',
    polder: 'nothing stays',
  },
  {
    cases: ['add.twice'],
    types: ['dhcp'],
    why: 'a second ADD gets another answer for the same container',
    polder: 'refused',
  },
  {
    cases: ['check.never-added'],
    types: ['dhcp'],
    why: 'CHECK of a container without a lease succeeds',
    polder: 'code 112',
  },
];

/** Failures of the reference that no difference tells, as `type/case`. */
export function unexplained(results: Results): string[] {
  return failures(results).filter((id) => !isExplained(id));
}

/** @param id `type/case`, that the reference fails */
export function isExplained(id: string): boolean {
  return DIFFERENCES.some((one) => tells(one, id));
}

/** Differences that no failure shows, but those that come by moment, and of types that are not kept. */
export function unseen(results: Results): Difference[] {
  const all = failures(results);
  const tried = Object.keys(results.debian.reference.types);
  const untried = ({ types }: Difference) =>
    types?.every((type) => DEBIAN_TYPES.some((one) => one === type) && !tried.includes(type));
  return DIFFERENCES.filter((one) => !one.byMoment && !untried(one) && !all.some((id) => tells(one, id)));
}

function failures({ here, debian }: Results): string[] {
  const of = (types: Readonly<Record<string, TypeResult>>) =>
    Object.entries(types).flatMap(([type, { failed }]) => failed.map((name) => `${type}/${name}`));
  return [...new Set([...of(here.reference.types), ...of(debian.reference.types)])];
}

function tells({ cases, types }: Difference, id: string): boolean {
  const at = id.indexOf('/');
  return (types === undefined || types.includes(id.slice(0, at))) && cases.includes(id.slice(at + 1));
}

/** As a table in Markdown. */
export function differencesTable(): string {
  const code = (words: readonly string[]) => words.map((word) => `\`${word}\``).join(', ');
  const rows = DIFFERENCES.map(({ cases, types, byMoment, why, polder }) => {
    const where = types ? ` of ${code(types)}` : ', every plugin';
    return `| ${code(cases)}${where}${byMoment ? ' (by moment)' : ''} | ${why} | ${polder} |`;
  });
  return ['| case | what it does | Polder |', '|---|---|---|', ...rows].join('\n');
}
