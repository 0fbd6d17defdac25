/** Runs the suite: tries each case that is planned in surroundings of its own. */

import { setMaxListeners } from 'node:events';
import { rmSync } from 'node:fs';
import { TIMEOUT_MS, within } from '#cni/conformance/bounds.ts';
import type { Feature } from '#cni/conformance/descriptor.ts';
import { makeFolder } from '#cni/conformance/folder.ts';
import { lackingFeatures, missingTool, needTools } from '#cni/conformance/needs.ts';
import { brief, type Call, type CaseResult, NotHere, Unmet } from '#cni/conformance/outcome.ts';
import { type Planned, planCases, type Where } from '#cni/conformance/plan.ts';
import { seeded, seedOf } from '#cni/conformance/seeded.ts';
import { type Plugins, Trial } from '#cni/conformance/trial.ts';

export interface SuiteOptions extends Where {
  readonly seed: number;
  /** At how many random moments the cases `killed.*` kill a call; 10 if absent. */
  readonly kills?: number;
  /** Cases at the same time. */
  readonly jobs: number;
  readonly onResult?: (result: CaseResult) => void;
}

const KILLS = 10;

export interface SuiteResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** It was stopped before all were tried; the others are told as skipped. */
  readonly cutOff?: true;
  readonly cases: readonly CaseResult[];
}

/** What all cases of a run have in common. */
interface Surroundings {
  readonly options: SuiteOptions;
  readonly plugins: Plugins;
  readonly lacking: ReadonlySet<Feature>;
  readonly tmp: string;
}

/** @throws PolderError program-missing, usage; the signal's reason if it is stopped before a case is tried */
export async function runSuite(options: SuiteOptions): Promise<SuiteResult> {
  needTools();
  // As many programs as run at once listen for the end.
  if (options.signal) setMaxListeners(0, options.signal);
  const tmp = makeFolder();
  try {
    const { plugins, planned, cases } = await planCases(options);
    const tried = await tryAll(planned, { options, plugins, lacking: await lackingFeatures(), tmp });
    return { ...tally([...tried, ...cases]), ...(options.signal?.aborted && { cutOff: true }) };
  } finally {
    rmSync(tmp, { recursive: true, force: true });
  }
}

/** In the order in which they are planned, whichever ends first. */
async function tryAll(planned: readonly Planned[], around: Surroundings): Promise<CaseResult[]> {
  const { jobs, signal, onResult } = around.options;
  const results = planned.map(notTried);
  const left = planned.entries();
  const worker = async () => {
    for (const [i, item] of left) {
      if (signal?.aborted) return;
      const result = await tryCase(item, around);
      if (!result) return;
      results[i] = result;
      onResult?.(result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(Math.max(1, jobs), planned.length) }, worker));
  return results;
}

function notTried(item: Planned): CaseResult {
  return { ...headOf(item), status: 'skipped', reason: 'not tried: the run was cut off', ms: 0 };
}

function headOf({ descriptor, facts, one, standing }: Planned): Omit<CaseResult, 'status' | 'ms'> {
  const { type } = descriptor;
  return { id: `${type}/${one.id}`, plugin: type, version: one.version ?? facts.newest, about: one.about, ...standing };
}

function tally(cases: readonly CaseResult[]): SuiteResult {
  const count = (status: string) => cases.filter((one) => one.status === status).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped'), cases };
}

type End = Pick<CaseResult, 'status' | 'expected' | 'seen' | 'reason' | 'calls'>;

/** Undefined if the run was stopped in the middle of it. */
async function tryCase(item: Planned, around: Surroundings): Promise<CaseResult | undefined> {
  const started = performance.now();
  const reason = whySkipped(item, around.lacking);
  const end = reason === undefined ? await endOf(item, around) : ({ status: 'skipped', reason } as const);
  if (around.options.signal?.aborted) return undefined;
  return { ...headOf(item), ...end, ms: Math.round(performance.now() - started) };
}

/** Cases that need no more of the kernel than a namespace: the protocol alone. */
const PROTOCOL = /^(version|input|env|error)\.(?!unknown-keys|big|huge|deep|kubernetes|foreign|bad-args|key)/;

function whySkipped({ descriptor, beneath, one }: Planned, lacking: ReadonlySet<Feature>): string | undefined {
  if (one.skip !== undefined) return one.skip;
  const tool = missingTool(`${descriptor.type}/${one.id}`);
  if (tool !== undefined) return `there is no ${tool}, which this case needs`;
  if (PROTOCOL.test(one.id)) return undefined;
  const needs = [...(beneath?.needs ?? []), ...(descriptor.needs ?? []), ...(one.needs ?? [])];
  const missing = needs.find((feature) => lacking.has(feature));
  return missing === undefined ? undefined : `this kernel has no ${missing}`;
}

async function endOf(item: Planned, around: Surroundings): Promise<End> {
  const { signal, timeoutMs = TIMEOUT_MS } = around.options;
  const calls: Call[] = [];
  const programs = new Set(around.plugins.paths.values());
  const onRan = (call: Call) => {
    if (programs.has(call.program)) keep(calls, call);
  };
  try {
    await within({ signal, timeoutMs, onRan }, async () => {
      using trial = trialOf(item, around);
      await open(trial);
      await item.one.run(trial);
    });
    return { status: 'passed' };
  } catch (error) {
    if (error instanceof Unmet) return { status: 'failed', expected: error.expected, seen: error.seen, calls };
    if (error instanceof NotHere) return { status: 'skipped', reason: error.message };
    return { status: 'failed', expected: 'the case to run to its end', seen: brief(String(error)), calls };
  }
}

/** More than any case makes at once. */
const CALLS = 24;

function keep(calls: Call[], call: Call): void {
  calls.push({ ...call, stdin: brief(call.stdin) });
  if (calls.length > CALLS) calls.shift();
}

function trialOf({ descriptor, beneath, facts, one }: Planned, { options, plugins, tmp }: Surroundings): Trial {
  return new Trial({
    plugins,
    subject: descriptor,
    beneath,
    version: one.version ?? facts.newest,
    supported: facts.supported,
    random: seeded(seedOf(options.seed, `${descriptor.type}/${one.id}`)),
    kills: options.kills ?? KILLS,
    tmp,
  });
}

/** The commands of a descriptor may fail, which says nothing of the plugin. */
async function open(trial: Trial): Promise<void> {
  try {
    await trial.open();
  } catch (error) {
    if (error instanceof NotHere) throw error;
    throw new Unmet('what the case needs to be set up before the plugin is called', brief(String(error)));
  }
}
