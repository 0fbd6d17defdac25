/** Which of two ways to one network BIRD prefers, and at which step (RFC 4271 §9.1.2.2; bgp_rte_better of BIRD 2.0). */

import { type BgpSession, type BgpState, isInternal } from '#calc/bgp/state.ts';
import { type Addr, compareAddr, readAddr } from '#net/addr.ts';
import type { BirdRoute } from '#wire/bird/show-routes.ts';

/** A way, and the peer that it was heard from. */
export interface Way {
  readonly route: BirdRoute;
  readonly session?: BgpSession;
  /** BGP identifier of that peer. */
  readonly neighborId?: Addr;
}

interface Step {
  /** Undefined: this step says nothing of such a way. */
  value(state: BgpState, way: Way): number | Addr | undefined;
  /** Whether the smaller value wins. */
  readonly lower: boolean;
  /** After "not chosen: ". */
  says(lost: string, won: string): string;
  /** Absent: between any two. */
  between?(a: Way, b: Way): boolean;
}

const DEFAULT_LOCAL_PREF = 100;
const ORIGINS: Readonly<Record<string, number>> = { IGP: 0, EGP: 1, Incomplete: 2 };
/** RFC 4271 §9.1.2.2: what no way leads to is as far as can be. */
const NO_METRIC = 0xffff_ffff;

function attribute({ route }: Way, name: string): string | undefined {
  return route.attributes[`BGP.${name}`];
}

function bothBgp(a: Way, b: Way): boolean {
  return a.route.source === 'BGP' && b.route.source === 'BGP';
}

const STEPS: readonly Step[] = [
  {
    value: (_, { route }) => route.preference,
    lower: false,
    says: (lost, won) => `preference ${lost} is lower than ${won}`,
  },
  {
    value: (_, { route }) => Number(route.unresolved || route.dest === 'unreachable'),
    lower: true,
    says: () => 'no way leads to its next hop',
    between: bothBgp,
  },
  {
    value: (_, way) => Number(attribute(way, 'local_pref') ?? DEFAULT_LOCAL_PREF),
    lower: false,
    says: (lost, won) => `local preference ${lost} is lower than ${won}`,
    between: bothBgp,
  },
  {
    value: (_, way) => pathLength(attribute(way, 'as_path') ?? ''),
    lower: true,
    says: (lost, won) => `its AS path is ${lost} long, the other ${won}`,
    between: bothBgp,
  },
  {
    value: (_, way) => ORIGINS[attribute(way, 'origin') ?? 'Incomplete'] ?? 2,
    lower: true,
    says: (lost, won) => `origin ${originName(lost)} is worse than ${originName(won)}`,
    between: bothBgp,
  },
  {
    value: (_, way) => Number(attribute(way, 'med') ?? 0),
    lower: true,
    says: (lost, won) => `MED ${lost} is higher than ${won} from the same AS`,
    between: (a, b) => bothBgp(a, b) && firstAs(a) === firstAs(b),
  },
  {
    value: (state, { session }) => Number(session !== undefined && isInternal(state, session)),
    lower: true,
    says: () => 'heard within the AS, the other from outside of it',
    between: bothBgp,
  },
  {
    value: (_, { route }) => route.igpMetric ?? (route.unresolved ? NO_METRIC : 0),
    lower: true,
    says: (lost, won) => `its next hop is ${lost} away, the other’s ${won}`,
    between: bothBgp,
  },
  {
    value: (_, way) => readAddr(attribute(way, 'originator_id') ?? '') ?? way.neighborId,
    lower: true,
    says: (lost, won) => `the peer’s BGP identifier ${lost} is higher than ${won}`,
    between: bothBgp,
  },
  {
    value: (_, way) => (attribute(way, 'cluster_list') ?? '').split(' ').filter(Boolean).length,
    lower: true,
    says: (lost, won) => `it has been through ${lost} reflectors, the other through ${won}`,
    between: bothBgp,
  },
  {
    value: (_, { session }) => session?.addr,
    lower: true,
    says: (lost, won) => `the peer’s address ${lost} is higher than ${won}`,
    between: bothBgp,
  },
];

/** Why the first way stands behind the second; undefined if it is not for any of these reasons. */
export function whyBehind(state: BgpState, lost: Way, won: Way): string | undefined {
  for (const step of STEPS) {
    if (step.between && !step.between(lost, won)) continue;
    const [a, b] = [step.value(state, lost), step.value(state, won)];
    if (a === undefined || b === undefined || a === b) continue;
    const behind = step.lower ? isBelow(b, a) : isBelow(a, b);
    return behind ? step.says(String(a), String(b)) : undefined;
  }
  return undefined;
}

function isBelow(a: number | Addr, b: number | Addr): boolean {
  if (typeof a === 'number') return typeof b === 'number' && a < b;
  return typeof b !== 'number' && compareAddr(a, b) < 0;
}

function originName(value: string): string {
  return Object.keys(ORIGINS)[Number(value)] ?? value;
}

/** A set counts as one, a confederation's as none (RFC 4271 §9.1.2.2, RFC 5065 §5.3). */
function pathLength(path: string): number {
  const plain = path.replace(/\([^)]*\)/g, ' ').replace(/\{[^}]*\}/g, ' 0 ');
  return plain.split(' ').filter(Boolean).length;
}

function firstAs(way: Way): string {
  return /^\d+/.exec(attribute(way, 'as_path') ?? '')?.[0] ?? '';
}
