/** Neighbours and forwarding entries of the fake. */

import { type FakeState, needLink, Refused } from '#kernel/netlink/fake/state.ts';
import { type FdbEntry, type Neighbour, NUD_NOARP, NUD_PERMANENT } from '#wire/netlink/values.ts';

/** @throws Refused ENODEV */
export function replaceNeighbour(state: FakeState, neighbour: Neighbour): void {
  needLink(state, neighbour.link);
  state.neighbours = state.neighbours.filter((n) => !sameNeighbour(n, neighbour));
  state.neighbours.push(neighbour);
}

/** @throws Refused ENODEV, ENOENT */
export function deleteNeighbour(state: FakeState, neighbour: Neighbour): void {
  needLink(state, neighbour.link);
  const left = state.neighbours.filter((n) => !sameNeighbour(n, neighbour));
  if (left.length === state.neighbours.length) throw new Refused('ENOENT');
  state.neighbours = left;
}

function sameNeighbour(a: Neighbour, b: Neighbour): boolean {
  return a.link === b.link && a.addr === b.addr;
}

const EVERYWHERE = '00:00:00:00:00:00';

/** A VXLAN device keeps several remotes of an address only if that stands for many: all zero, or a group's. */
function manyRemotes(entry: FdbEntry): boolean {
  return entry.mac === EVERYWHERE || (Number.parseInt(entry.mac.slice(0, 2), 16) & 1) === 1;
}

/** @throws Refused ENODEV, EINVAL, EOPNOTSUPP */
export function putFdbEntry(state: FakeState, wanted: FdbEntry, verb: 'append' | 'replace'): void {
  const vxlan = needLink(state, wanted.link).info.kind === 'vxlan';
  if (vxlan && wanted.dst === undefined) throw new Refused('EINVAL');
  const entry = { ...wanted, state: wanted.state || NUD_PERMANENT };
  if ((entry.state & (NUD_PERMANENT | NUD_NOARP)) === 0 && !vxlan) throw new Refused('EINVAL');
  const present = state.fdb.filter((e) => e.link === entry.link && e.mac === entry.mac);
  if (present.length > 0 && verb === 'replace' && vxlan && manyRemotes(entry)) throw new Refused('EOPNOTSUPP');
  if (present.some((e) => e.dst === entry.dst) && verb === 'append') return;
  if (present.length > 0 && verb === 'append' && !manyRemotes(entry)) return;
  if (verb === 'replace') state.fdb = state.fdb.filter((e) => !present.includes(e));
  state.fdb.push(entry);
}

/** @throws Refused ENODEV, ENOENT */
export function deleteFdbEntry(state: FakeState, entry: FdbEntry): void {
  needLink(state, entry.link);
  const ofMac = state.fdb.filter((e) => e.link === entry.link && e.mac === entry.mac);
  if (ofMac.length === 0) throw new Refused('ENOENT');
  // One remote of several that is not among them is passed over in silence.
  state.fdb = state.fdb.filter((e) => !ofMac.includes(e) || (entry.dst !== undefined && e.dst !== entry.dst));
}
