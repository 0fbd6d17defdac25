/** How binding each case is, and by what: so that the author of a plugin can tell a broken rule from a wish. */

import type { Kind } from '#cni/conformance/descriptor.ts';

/** `must`: the specification demands or defines it; `should`: it advises it, or the key's own documentation does; `beyond`: what Polder asks of a good plugin. */
export const LEVELS = ['must', 'should', 'beyond'] as const;
export type Level = (typeof LEVELS)[number];

export interface Standing {
  readonly level: Level;
  /** Where it is written: a section of the CNI specification 1.1.0, or who asks for it. */
  readonly section: string;
}

export interface LevelRow extends Standing {
  /** A case, or by `*` at the end all that begin so. */
  readonly cases: readonly string[];
  /** Only of plugins of this kind. */
  readonly kind?: Kind;
}

const ADD = 'Section 2, ADD';
const DEL = 'Section 2, DEL';
const CHECK = 'Section 2, CHECK';
const STATUS = 'Section 2, STATUS';
const GC = 'Section 2, GC';
const PARAMETERS = 'Section 2, Parameters';
const ERROR = 'Section 5, Error';
const SUCCESS = 'Section 5, ADD Success';
const CONFIGURATION = 'Section 1, Plugin configuration objects';
const KEYS = 'the documentation of the configuration’s keys';
const CONVENTIONS = 'CONVENTIONS.md';
/** The specification has the runtime send DEL, even after an ADD that failed. */
const NO_TRACE = 'Polder: an ADD that fails leaves nothing, without waiting for DEL';
const LATER = 'Polder: keys that came with later releases of the reference plugins';
const POLDER = 'Polder';

/** The first row that fits counts. */
export const LEVEL_ROWS: readonly LevelRow[] = [
  { cases: ['version.answer', 'version.echo'], level: 'must', section: 'Section 5, VERSION Success' },
  { cases: ['version.unsupported'], level: 'must', section: ERROR },
  { cases: ['version.*'], level: 'must', section: 'Section 2, VERSION' },
  { cases: ['versions.*'], level: 'must', section: 'Section 5, Version' },

  { cases: ['input.no-name'], level: 'must', section: CONFIGURATION },
  { cases: ['input.bad-name'], level: 'should', section: CONFIGURATION },
  { cases: ['input.trailing'], level: 'should', section: ERROR },
  { cases: ['input.key-case'], level: 'beyond', section: 'Polder: as containerd writes it' },
  // "May generate an error if called with unknown fields."
  { cases: ['input.unknown-keys', 'input.big', 'input.huge', 'input.deep'], level: 'beyond', section: POLDER },
  { cases: ['input.*'], level: 'must', section: ERROR },

  { cases: ['env.bad-args'], level: 'beyond', section: NO_TRACE },
  { cases: ['env.foreign'], level: 'beyond', section: POLDER },
  { cases: ['env.kubernetes-args'], level: 'should', section: CONVENTIONS },
  // What a container ID is made of is the runtime's duty first.
  { cases: ['env.containerid-*'], level: 'should', section: PARAMETERS },
  { cases: ['env.*'], level: 'must', section: `${PARAMETERS}; ${ERROR}` },
  { cases: ['error.*'], level: 'must', section: ERROR },

  { cases: ['add.result', 'add.interfaces', 'add.addresses', 'add.routes'], level: 'must', section: SUCCESS },
  { cases: ['add.ifname*'], level: 'must', section: PARAMETERS },
  { cases: ['add.two-interfaces*'], level: 'must', section: ADD },
  { cases: ['add.twice'], kind: 'main', level: 'must', section: ADD },
  { cases: ['add.twice'], level: 'beyond', section: POLDER },
  { cases: ['add.name-taken', 'add.forceAddress'], level: 'beyond', section: NO_TRACE },
  { cases: ['add.netns-missing'], level: 'must', section: PARAMETERS },
  { cases: ['add.netns-*', 'add.foreign-sysctl'], level: 'beyond', section: POLDER },
  {
    cases: ['vlanTrunk', 'portIsolation', 'disableContainerInterface', 'txQLen', 'preserveDefaultVlan'].map(
      (key) => `add.effect.${key}`,
    ),
    level: 'beyond',
    section: LATER,
  },
  { cases: ['add.linkInContainer'], level: 'beyond', section: LATER },
  { cases: ['add.*'], level: 'should', section: KEYS },

  { cases: ['ipam.exhausted'], level: 'beyond', section: NO_TRACE },
  { cases: ['ipam.request-*'], level: 'should', section: CONVENTIONS },
  { cases: ['ipam.*'], level: 'should', section: KEYS },

  { cases: ['chain.needs-prevResult'], level: 'beyond', section: POLDER },
  { cases: ['chain.*'], level: 'must', section: ADD },

  { cases: ['del.clean', 'del.twice', 'del.unknown', 'del.others'], level: 'must', section: DEL },
  { cases: ['del.without-prevResult'], level: 'beyond', section: POLDER },
  { cases: ['del.*'], level: 'should', section: DEL },

  { cases: ['check.ok'], level: 'must', section: CHECK },
  { cases: ['check.*'], level: 'should', section: CHECK },

  { cases: ['status.exhausted'], level: 'should', section: STATUS },
  { cases: ['status.*'], level: 'must', section: STATUS },

  { cases: ['gc.removes-others', 'gc.by-interface'], level: 'should', section: GC },
  { cases: ['gc.*'], level: 'must', section: GC },

  // "The container runtime must not invoke parallel operations for the same container."
  { cases: ['parallel.same-*'], level: 'beyond', section: POLDER },
  { cases: ['parallel.*'], level: 'must', section: 'Section 3, Lifecycle & Ordering' },
  { cases: ['killed.*'], level: 'beyond', section: POLDER },
  { cases: ['traffic.*'], level: 'beyond', section: 'Polder: what the configuration means for packets' },
];

/** @param id of the case, without the plugin @throws RangeError if no row tells of it */
export function standingOf(id: string, kind: Kind): Standing {
  const row = LEVEL_ROWS.find((one) => (one.kind ?? kind) === kind && one.cases.some((pattern) => fits(pattern, id)));
  if (!row) throw new RangeError(`Cannot say how binding the case ${id} is: no row tells of it`);
  return { level: row.level, section: row.section };
}

function fits(pattern: string, id: string): boolean {
  return pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern;
}

/** Whether a case of this level is tried in a run of that one. */
export function isWithin(level: Level, most: Level): boolean {
  return LEVELS.indexOf(level) <= LEVELS.indexOf(most);
}
