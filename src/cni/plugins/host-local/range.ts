/** Ranges of addresses that `host-local` gives out, and the order in which it tries them. Pure. */

import { type Addr, addrPlus, compareAddr, type Family, familyOf } from '#net/addr.ts';
import { contains, firstAddr, lastAddr, lengthOf, type Prefix, prefixFamily } from '#net/prefix.ts';
import { wrong } from '#wire/cni/json.ts';

export interface Range {
  readonly subnet: Prefix;
  /** First and last that may be given. */
  readonly start: Addr;
  readonly end: Addr;
  readonly gateway: Addr;
}

/** One address is given out of each set. */
export type RangeSet = readonly Range[];

export interface RangeText {
  readonly subnet: Prefix;
  readonly start?: Addr | undefined;
  readonly end?: Addr | undefined;
  readonly gateway?: Addr | undefined;
}

/** Smaller networks have no address beside network, gateway and broadcast. */
const SPARE_BITS = 2;

/** Fills in what is not said: from the first address to the last (IPv4: not the broadcast address), the gateway the first. */
export function rangeOf({ subnet, start, end, gateway }: RangeText, path: string): Range {
  const family = prefixFamily(subnet);
  const bits = family === 4 ? 32 : 128;
  if (lengthOf(subnet) > bits - SPARE_BITS) wrong(`${path}subnet`, 'must have at least four addresses', subnet);
  const first = addrPlus(firstAddr(subnet), 1);
  const last = family === 4 ? addrPlus(lastAddr(subnet), -1) : lastAddr(subnet);
  inside(subnet, start, `${path}rangeStart`);
  inside(subnet, end, `${path}rangeEnd`);
  const range = { subnet, start: start ?? first, end: end ?? last, gateway: gateway ?? first };
  if (compareAddr(range.start, range.end) > 0) wrong(`${path}rangeStart`, 'must not be behind rangeEnd', range.start);
  return range;
}

function inside(subnet: Prefix, addr: Addr | undefined, path: string): void {
  if (addr === undefined) return;
  const within = familyOf(addr) === prefixFamily(subnet) && contains(subnet, addr);
  if (!within) wrong(path, `must be in ${subnet}`, addr);
}

export function rangeHas({ start, end }: Range, addr: Addr): boolean {
  return familyOf(addr) === familyOf(start) && compareAddr(addr, start) >= 0 && compareAddr(addr, end) <= 0;
}

export function rangeFor(set: RangeSet, addr: Addr): Range | undefined {
  return set.find((range) => rangeHas(range, addr));
}

export function rangesOverlap(a: Range, b: Range): boolean {
  if (familyOf(a.start) !== familyOf(b.start)) return false;
  return compareAddr(a.start, b.end) <= 0 && compareAddr(b.start, a.end) <= 0;
}

export function setFamily(set: RangeSet): Family | undefined {
  return set[0] && familyOf(set[0].start);
}

export function rangeText({ start, end }: Range): string {
  return `${start}-${end}`;
}

export function setText(set: RangeSet): string {
  return set.map(rangeText).join(',');
}

/**
 * The first address that is not taken, beginning behind `after` and going round once, so that a freed address rests
 * as long as possible. Gateways are left out. Undefined if all are taken.
 */
export function nextFree(set: RangeSet, after: Addr | undefined, taken: ReadonlySet<string>): Addr | undefined {
  for (const { low, high, gateway } of laps(set, after)) {
    for (let addr = low; ; addr = addrPlus(addr, 1)) {
      if (addr !== gateway && !taken.has(addr)) return addr;
      if (addr === high) break;
    }
  }
  return undefined;
}

/** `low` is not behind `high`. */
interface Lap {
  readonly low: Addr;
  readonly high: Addr;
  readonly gateway: Addr;
}

/** What is behind the address in its range, the other ranges in turn, and what is before it. */
function laps(set: RangeSet, after: Addr | undefined): Lap[] {
  const all = set.map(({ start, end, gateway }) => ({ low: start, high: end, gateway }));
  const at = after === undefined ? -1 : set.findIndex((range) => rangeHas(range, after));
  const first = all[at];
  if (after === undefined || !first) return all;
  const behind = after === first.high ? [] : [{ ...first, low: addrPlus(after, 1) }];
  return [...behind, ...all.slice(at + 1), ...all.slice(0, at), { ...first, high: after }];
}
