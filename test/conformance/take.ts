/**
 * Runs the suite on both sets and keeps what came out in `docs/conformance-cni.json`:
 *
 *     sudo node test/conformance/take.ts                         # all types, on the kernel at hand: a quarter of an hour
 *     sudo node test/conformance/take.ts --kernel debian         # what that may lack, in a virtual machine: half an hour for each set
 *     sudo node test/conformance/take.ts --type bridge,portmap   # these only; the others' results stay
 *     sudo node test/conformance/take.ts --grep 'killed|gc\.'    # of their cases only these; the others' results stay
 *     sudo node test/conformance/take.ts --missing               # only cases that were not taken yet: goes on where a run was cut off
 *     sudo node test/conformance/take.ts --set polder            # of this set only: reference, polder, or alone (without an agent)
 *
 * Then `npm run docs` writes the tables of `docs/conformance-cni.md` anew.
 */

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { CaseResult } from '#cni/conformance/outcome.ts';
import { onDebian } from '#test/conformance/debian.ts';
import {
  caseOf,
  type Outcome,
  outcomesOf,
  PLACE_SETS,
  type Place,
  RESULTS,
  readResults,
  typeOf,
  typeResult,
} from '#test/conformance/results.ts';
import { CASES, type Choice, SETS, type SetName } from '#test/conformance/sets.ts';
import { boot, needMemory } from '#test/kernel-vm/boot.ts';
import { prepare } from '#test/kernel-vm/setup.ts';

const SEED = 1;
const MARK = '@case ';
const ROOT = join(import.meta.dirname, '../..');

const { values } = parseArgs({
  options: {
    kernel: { type: 'string' },
    type: { type: 'string' },
    /** Of `TYPE/CASE`, without anchors. */
    grep: { type: 'string', default: '' },
    /** Only this set. */
    set: { type: 'string' },
    missing: { type: 'boolean', default: false },
    /** Of the virtual machine; what came until then is kept. */
    minutes: { type: 'string', default: '60' },
    /** A line for each case; nothing is kept. */
    stream: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '2' },
    dir: { type: 'string', default: '/var/cache/polder/kernel-vm' },
  },
});
const types = (values.type ?? '').split(',').filter((type) => type !== '');

const place: Place = values.kernel === 'debian' ? 'debian' : 'here';
const sets: readonly SetName[] = values.set === undefined ? PLACE_SETS[place] : [setNamed(values.set)];

for (const set of sets) {
  if (values.stream) await stream(set, (one) => console.log(MARK + JSON.stringify(one)));
  else await keep(set, await (place === 'debian' ? inMachine(set) : here(set)));
}

function setNamed(text: string): SetName {
  const named = PLACE_SETS[place].find((set) => set === text);
  if (named) return named;
  throw new Error(`${text} is no set: ${PLACE_SETS[place].join(' or ')}`);
}

interface Taken {
  readonly all: readonly Outcome[];
  readonly kernel: string;
}

async function stream(set: SetName, onCase: (one: Outcome) => void): Promise<void> {
  const choice = await chosen(set);
  if (!choice) return;
  const onResult = ({ id, status, ms, reason, expected, seen }: CaseResult) => {
    console.error(`${set} ${id} ${status} ${ms} ms`);
    if (status === 'failed') console.error(`${set} ${id}\n  expected ${expected}\n  seen ${seen}`);
    onCase({ id, status, ...(reason && { reason }) });
  };
  await SETS[set]({ ...choice, seed: SEED, jobs: Number(values.jobs), onResult });
}

/** Undefined: nothing is missing. */
async function chosen(set: SetName): Promise<Omit<Choice, 'seed' | 'jobs'> | undefined> {
  const base = place === 'debian' ? onDebian(types, false, values.grep) : { types, grep: new RegExp(values.grep) };
  if (!values.missing) return base;
  const kept = Object.entries(readResults()[place][set]?.types ?? {}).flatMap(([type, one]) => outcomesOf(type, one));
  const known = new Set(kept.map(({ id }) => id));
  const ids = (await CASES[set](base)).filter((id) => caseOf(id) !== '' && !known.has(id));
  const grep = new RegExp(`^(?:${ids.map((id) => id.replaceAll(/[.[\]]/g, '\\$&')).join('|')})$`);
  return ids.length === 0 ? undefined : { ...base, grep };
}

async function here(set: SetName): Promise<Taken> {
  const all: Outcome[] = [];
  await stream(set, (one) => all.push(one));
  return { all, kernel: release() };
}

/** The machine has the same files, and this program streams there what it would keep here. */
async function inMachine(set: SetName): Promise<Taken> {
  if (!(await chosen(set))) return { all: [], kernel: '' };
  needMemory();
  const what = ['--set', set, '--type', types.join(','), '--grep', values.grep, '--jobs', values.jobs];
  const args = [
    import.meta.filename,
    '--stream',
    '--kernel',
    'debian',
    ...what,
    ...(values.missing ? ['--missing'] : []),
  ];
  // What the kernel says would stand in the middle of lines.
  const script = `cd '${ROOT}'\nuname -r\ndmesg -n 1\nexec '${process.execPath}' ${args.map((a) => `'${a}'`).join(' ')}\n`;
  let text = '';
  const onOutput = (more: string) => {
    text += more;
    process.stderr.write(more);
  };
  const parts = prepare(values.dir, (line) => console.error(line));
  const status = await boot(parts, { script, onOutput, limitMs: Number(values.minutes) * 60_000 });
  if (status !== 0) console.error(`the virtual machine ended with ${status}: what came until then is kept`);
  const lines = text.split(/\r?\n/).slice(0, -1);
  const all = lines.filter((line) => line.startsWith(MARK)).map((line): Outcome => JSON.parse(line.slice(MARK.length)));
  return { all, kernel: lines[0] ?? '' };
}

/** Beside what was taken before, of cases that the suite still has. */
async function keep(set: SetName, { all, kernel }: Taken): Promise<void> {
  const results = readResults();
  const old = results[place][set];
  const listed = new Set(await CASES[set](place === 'debian' ? onDebian([]) : {}));
  const taken = [...new Set(all.filter(({ id }) => caseOf(id) !== '').map(({ id }) => typeOf(id)))];
  if (taken.length === 0) return;
  const fresh = taken.map((type) => {
    const now = all.filter(({ id }) => typeOf(id) === type && caseOf(id) !== '');
    const before = old?.types[type] ? outcomesOf(type, old.types[type]) : [];
    const stays = before.filter(({ id }) => listed.has(id) && !now.some((one) => one.id === id));
    const names = [...listed].filter((id) => typeOf(id) === type).map(caseOf);
    return [type, typeResult([...stays, ...now], names)] as const;
  });
  const run = {
    taken: new Date().toISOString().slice(0, 10),
    kernel: /^\d+\.\d+/.exec(kernel)?.[0] ?? kernel,
    types: { ...old?.types, ...Object.fromEntries(fresh) },
  };
  const text = JSON.stringify({ ...results, [place]: { ...results[place], [set]: run } }, null, 2);
  writeFileSync(RESULTS, `${text}\n`);
  spawnSync('npx', ['biome', 'format', '--write', RESULTS], { stdio: 'ignore' });
}
