/** Qdiscs, classes and filters of the fake. It keeps one qdisc a place, and does not look into what filters match. */

import { type FakeState, needLink, Refused } from '#kernel/netlink/fake/state.ts';
import type { Filter, Qdisc, TcClass, TcOp } from '#wire/netlink/tc-values.ts';

/** @throws Refused */
export function changeTraffic(state: FakeState, op: TcOp): void {
  if ('qdisc' in op) changeQdisc(state, op.op, op.qdisc);
  else if ('class' in op) changeClass(state, op.op, op.class);
  else changeFilter(state, op.op, op.filter);
}

function placeOf({ info, parent }: Qdisc): string {
  return info.kind === 'ingress' || info.kind === 'clsact' ? 'ingress' : (parent ?? 'root').toString();
}

function changeQdisc(state: FakeState, verb: TcOp['op'], qdisc: Qdisc): void {
  needLink(state, qdisc.link);
  const there = state.qdiscs.find((q) => q.link === qdisc.link && placeOf(q) === placeOf(qdisc));
  if (verb === 'qdisc.del' && !there) throw new Refused(placeOf(qdisc) === 'ingress' ? 'EINVAL' : 'ENOENT');
  if (verb === 'qdisc.add' && there) throw new Refused('EEXIST');
  if (there) state.qdiscs = state.qdiscs.filter((q) => q !== there);
  if (verb === 'qdisc.del') {
    forget(state, qdisc.link, there);
    return;
  }
  const handled = placeOf(qdisc) === 'ingress' || qdisc.handle !== undefined;
  state.qdiscs.push(
    handled ? qdisc : { ...qdisc, handle: there?.handle ?? (FIRST_HANDLE + state.qdiscs.length) << 16 },
  );
}

/** The kernel's own handles begin here. */
const FIRST_HANDLE = 0x8001;

function forget(state: FakeState, link: string, gone: Qdisc | undefined): void {
  const major = (gone?.handle ?? 0) >>> 16;
  const below = (parent: Filter['parent']) =>
    typeof parent === 'number' ? parent >>> 16 === major : gone?.handle === undefined;
  state.classes = state.classes.filter((c) => c.link !== link || c.id >>> 16 !== major);
  state.filters = state.filters.filter((f) => f.link !== link || !below(f.parent));
}

function changeClass(state: FakeState, verb: TcOp['op'], wanted: TcClass): void {
  needLink(state, wanted.link);
  const there = state.classes.find((c) => c.link === wanted.link && c.id === wanted.id);
  if (
    !state.qdiscs.some((q) => q.link === wanted.link && q.handle !== undefined && q.handle >>> 16 === wanted.id >>> 16)
  )
    throw new Refused('ENOENT');
  if (verb === 'class.del' && !there) throw new Refused('ENOENT');
  if (verb === 'class.add' && there) throw new Refused('EEXIST');
  state.classes = state.classes.filter((c) => c !== there);
  if (verb !== 'class.del') state.classes.push(wanted);
}

function changeFilter(state: FakeState, verb: TcOp['op'], filter: Filter): void {
  needLink(state, filter.link);
  if (filter.action?.kind === 'redirect' && verb !== 'filter.del') needLink(state, filter.action.to);
  if (!hasPlace(state, filter.link, filter.parent)) throw new Refused('EINVAL');
  const same = (f: Filter) =>
    f.link === filter.link &&
    f.parent === filter.parent &&
    f.priority === filter.priority &&
    (filter.handle === undefined || f.handle === filter.handle);
  if (verb === 'filter.del') {
    const left = state.filters.filter((f) => !same(f));
    if (left.length === state.filters.length) throw new Refused('ENOENT');
    state.filters = left;
    return;
  }
  if (filter.handle !== undefined) state.filters = state.filters.filter((f) => !same(f));
  state.filters.push({ handle: FIRST_FILTER + state.filters.length, ...filter });
}

/** Of u32: table 800, bucket 0, node 800. */
const FIRST_FILTER = 0x80000800;

/** Whether a qdisc makes the place for filters. */
export function hasPlace(state: FakeState, link: string, parent: Filter['parent']): boolean {
  return state.qdiscs.some((q) => {
    if (q.link !== link) return false;
    if (parent === 'egress') return q.info.kind === 'clsact';
    if (parent === 'ingress') return q.info.kind === 'ingress' || q.info.kind === 'clsact';
    return q.handle !== undefined && q.handle >>> 16 === parent >>> 16;
  });
}

/** Who redirected to an interface that is gone does nothing any more. */
export function forgetTarget(state: FakeState, name: string): void {
  state.filters = state.filters.map(({ action, ...rest }) =>
    action === undefined || (action.kind === 'redirect' && action.to === name) ? rest : { ...rest, action },
  );
}
