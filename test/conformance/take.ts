/**
 * Runs the suite on both sets and keeps what came out in `docs/conformance-cni.json`:
 *
 *     sudo node test/conformance/take.ts                         # all types, on the kernel at hand: about five minutes
 *     sudo node test/conformance/take.ts --kernel debian         # what that may lack, in a virtual machine: ten minutes
 *     sudo node test/conformance/take.ts --type bridge,portmap   # these only; the others' results stay
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
import { type Outcome, type Place, RESULTS, readResults, typeOf, typeResult } from '#test/conformance/results.ts';
import { SETS, type SetName } from '#test/conformance/sets.ts';
import { boot, needMemory } from '#test/kernel-vm/boot.ts';
import { prepare } from '#test/kernel-vm/setup.ts';

const SEED = 1;
/** Where all takes twenty times as long. */
const KILLS_IN_MACHINE = 2;
const MARK = '@case ';
const VM_LIMIT_MS = 60 * 60_000;

const { values } = parseArgs({
  options: {
    kernel: { type: 'string' },
    type: { type: 'string' },
    /** Only this set, and a line for each case; nothing is kept. */
    stream: { type: 'string' },
    /** With `--kernel debian`: also what takes minutes there. It is printed and not kept. */
    whole: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '2' },
    dir: { type: 'string', default: '/var/cache/polder/kernel-vm' },
  },
});
const types = (values.type ?? '').split(',').filter((type) => type !== '');

if (values.stream !== undefined)
  await stream(setNamed(values.stream), (one) => console.log(MARK + JSON.stringify(one)));
else
  for (const set of ['reference', 'polder'] as const) {
    const taken = await outcomes(set);
    if (!values.whole) keep(set, taken);
  }

function setNamed(text: string): SetName {
  if (text === 'reference' || text === 'polder') return text;
  throw new Error(`${text} is no set: reference or polder`);
}

async function stream(set: SetName, onCase: (one: Outcome) => void): Promise<void> {
  const only = values.kernel === 'debian' ? onDebian(types, values.whole) : { types };
  const kills = values.kernel === 'debian' ? KILLS_IN_MACHINE : undefined;
  const onResult = ({ id, status, ms }: CaseResult) => console.error(`${set} ${id} ${status} ${ms} ms`);
  const result = await SETS[set]({ ...only, seed: SEED, jobs: Number(values.jobs), ...(kills && { kills }), onResult });
  for (const { id, status, reason, expected, seen } of result.cases) {
    if (status === 'failed') console.error(`${set} ${id}\n  expected ${expected}\n  seen ${seen}`);
    onCase({ id, status, ...(reason && { reason }) });
  }
}

async function outcomes(set: SetName): Promise<{ all: Outcome[]; kernel: string }> {
  if (values.kernel === 'debian') return inMachine(set);
  const all: Outcome[] = [];
  await stream(set, (one) => all.push(one));
  return { all, kernel: release() };
}

/** The machine has the same files, and this program streams there what it would keep here. */
async function inMachine(set: SetName): Promise<{ all: Outcome[]; kernel: string }> {
  needMemory();
  const args = [
    import.meta.filename,
    '--kernel',
    'debian',
    '--stream',
    set,
    '--type',
    types.join(','),
    ...(values.whole ? ['--whole'] : []),
  ];
  const script = `cd '${join(import.meta.dirname, '../..')}'\nuname -r\nexec '${process.execPath}' ${args.map((a) => `'${a}'`).join(' ')}\n`;
  let text = '';
  const onOutput = (more: string) => {
    text += more;
    process.stderr.write(more);
  };
  const parts = prepare(values.dir, (line) => console.error(line));
  const status = await boot(parts, { script, onOutput, limitMs: VM_LIMIT_MS });
  const lines = text.split(/\r?\n/);
  if (status !== 0) throw new Error(`the virtual machine ended with ${status}`);
  const all = lines.filter((line) => line.startsWith(MARK)).map((line): Outcome => JSON.parse(line.slice(MARK.length)));
  return { all, kernel: lines[0] ?? '' };
}

function keep(set: SetName, { all, kernel }: { all: readonly Outcome[]; kernel: string }): void {
  const place: Place = values.kernel === 'debian' ? 'debian' : 'here';
  const results = readResults();
  const fresh = Object.fromEntries(
    [...new Set(all.map(({ id }) => typeOf(id)))]
      .filter((type) => all.some(({ id }) => id.startsWith(`${type}/`)))
      .map((type) => [type, typeResult(all.filter(({ id }) => typeOf(id) === type))]),
  );
  const old = results[place][set];
  const run = {
    taken: new Date().toISOString().slice(0, 10),
    kernel: /^\d+\.\d+/.exec(kernel)?.[0] ?? kernel,
    types: { ...old.types, ...fresh },
  };
  const text = JSON.stringify({ ...results, [place]: { ...results[place], [set]: run } }, null, 2);
  writeFileSync(RESULTS, `${text}\n`);
  spawnSync('npx', ['biome', 'format', '--write', RESULTS], { stdio: 'ignore' });
}
