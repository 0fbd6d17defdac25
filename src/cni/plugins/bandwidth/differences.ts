/** CHECK: traffic control as the kernel has it against what ADD made. */

import { isDeepStrictEqual } from 'node:util';
import type { Shaping } from '#cni/plugins/bandwidth/shaping.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { burstTicks, sameBurst, ticksToBurst } from '#wire/netlink/tc-rate.ts';
import type { Filter, Qdisc, TcClass } from '#wire/netlink/tc-values.ts';

export function shapingDifferences(host: Netlink, { qdisc, classes, filters }: Shaping): string[] {
  const { link, handle } = qdisc;
  const found = host.qdiscs(link).find((one) => one.parent === undefined && one.handle === handle);
  if (!found || found.info.kind !== qdisc.info.kind) return [`${link} has no qdisc ${qdisc.info.kind}`];
  const have = classes.length > 0 ? host.classes(link) : [];
  const filtered = filters.length > 0 && handle !== undefined ? host.filters(link, handle) : [];
  return [
    ...qdiscDifferences(qdisc, found),
    ...classes.flatMap((one) => classDifferences(one, have)),
    ...(filters.every((filter) => filtered.some((one) => sameFilter(filter, one)))
      ? []
      : [`a filter of ${link} is missing`]),
  ];
}

function qdiscDifferences({ link, info }: Qdisc, { info: have }: Qdisc): string[] {
  if (info.kind === 'htb' && have.kind === 'htb') {
    return info.defaultClass === have.defaultClass ? [] : [`the qdisc of ${link} has another default class`];
  }
  if (info.kind !== 'tbf' || have.kind !== 'tbf') return [];
  return rateDifferences(link, info, have);
}

function classDifferences(want: TcClass, have: readonly TcClass[]): string[] {
  const found = have.find(({ id }) => id === want.id);
  return found ? rateDifferences(want.link, want, found) : [`a class of ${want.link} is missing`];
}

interface Rated {
  readonly rate: number;
  readonly burst: number;
}

function rateDifferences(link: string, want: Rated, have: Rated): string[] {
  const told =
    sameBurst(want.rate, want.burst, have.burst) || bursts(want).some((b) => sameBurst(want.rate, b, have.burst));
  return [
    ...(want.rate === have.rate ? [] : [`${link} lets ${have.rate} bytes/s out, not ${want.rate}`]),
    ...(told || want.rate !== have.rate ? [] : [`${link} has a burst of ${have.burst} bytes, not ${want.burst}`]),
  ];
}

/**
 * The kernel tells a burst as the time that it takes, in 32 bits: of one that takes longer than 274 s (containerd asks
 * for bursts of 2 Gbit) an htb was told the longest time; a tbf has it right, but says what is left of the time above 32 bits.
 */
function bursts({ rate, burst }: Rated): number[] {
  const ticks = burstTicks(rate, burst);
  const wrapped = Math.floor((burst * 1e9) / rate / TICK_NS) % 2 ** 32;
  return [ticksToBurst(rate, ticks), ticksToBurst(rate, wrapped)];
}

/** /proc/net/psched. */
const TICK_NS = 64;

function sameFilter(want: Filter, have: Filter): boolean {
  const told = ({ priority, protocol, match, class: into }: Filter) => [priority, protocol, match, into];
  return isDeepStrictEqual(told(want), told(have));
}
