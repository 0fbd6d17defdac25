/** Runs the suite: finds the plugins, lists their cases, tries each in surroundings of its own. */

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { answerOf } from '#cni/conformance/answer.ts';
import { type Case, type Facts, RELEASED } from '#cni/conformance/case.ts';
import { casesOf } from '#cni/conformance/cases/all.ts';
import { type Descriptor, FEATURES, type Feature } from '#cni/conformance/descriptor.ts';
import { DESCRIPTORS } from '#cni/conformance/descriptors/table.ts';
import { isExecutable, PATH, run } from '#cni/conformance/exec.ts';
import { makeFolder } from '#cni/conformance/folder.ts';
import { connectNode, throwAwayNetns } from '#cni/conformance/ground.ts';
import { brief, type CaseResult, NotHere, Unmet } from '#cni/conformance/outcome.ts';
import { seeded, seedOf } from '#cni/conformance/seeded.ts';
import { type Plugins, Trial } from '#cni/conformance/trial.ts';

export interface SuiteOptions {
  /** Folder of the executables that are tried. */
  readonly dir: string;
  /** Folders where the plugins are found that go before or are delegated to, if the first lacks them. */
  readonly helpers?: readonly string[];
  /** Only these types; all that are known if empty. */
  readonly types?: readonly string[];
  /** Only cases whose `plugin/id` matches. */
  readonly grep?: RegExp;
  readonly env?: Readonly<Record<string, string>>;
  readonly seed: number;
  /** At how many random moments the cases `killed.*` kill a call; 10 if absent. */
  readonly kills?: number;
  /** Cases at the same time. */
  readonly jobs: number;
  /** Descriptors of types that the suite does not know by itself, or knows otherwise. */
  readonly descriptors?: readonly Descriptor[];
  readonly signal?: AbortSignal;
  readonly onResult?: (result: CaseResult) => void;
}

const KILLS = 10;

export interface SuiteResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly cases: readonly CaseResult[];
}

/** Without how it is to be run. */
type Where = Omit<SuiteOptions, 'seed' | 'jobs'>;

interface Planned {
  readonly descriptor: Descriptor;
  readonly facts: Facts;
  readonly one: Case;
}

export async function runSuite(options: SuiteOptions): Promise<SuiteResult> {
  const plugins = findPlugins(options);
  const tmp = makeFolder();
  try {
    const { planned, cases } = await plan(options, plugins);
    const lacking = await lackingFeatures();
    const results: (CaseResult | undefined)[] = planned.map(() => undefined);
    let next = 0;
    const worker = async () => {
      for (let i = next++; i < planned.length && !options.signal?.aborted; i = next++) {
        const item = planned[i];
        if (!item) return;
        const result = await tryCase(item, options, plugins, lacking, tmp);
        results[i] = result;
        options.onResult?.(result);
      }
    };
    await Promise.all(Array.from({ length: Math.max(1, options.jobs) }, worker));
    return tally([...results.filter((result) => result !== undefined), ...cases]);
  } finally {
    rmSync(tmp, { recursive: true, force: true });
  }
}

function tally(cases: readonly CaseResult[]): SuiteResult {
  const count = (status: string) => cases.filter((one) => one.status === status).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped'), cases };
}

/** Executables of the folders; the first folder that has one wins. */
function findPlugins(options: Where): Plugins {
  const paths = new Map<string, string>();
  const dirs = [options.dir, ...(options.helpers ?? [])];
  for (const dir of dirs) {
    for (const name of readdirSync(dir))
      if (!paths.has(name) && isExecutable(join(dir, name))) paths.set(name, join(dir, name));
  }
  return { paths, cniPath: dirs.join(':'), env: options.env ?? {} };
}

/** Names of all cases that a run would have, `plugin/id`, those included that it would skip. Runs nothing but VERSION. */
export async function listCases(options: Where): Promise<string[]> {
  const { planned, cases } = await plan(options, findPlugins(options));
  return [...planned.map(({ descriptor, one }) => `${descriptor.type}/${one.id}`), ...cases.map(({ id }) => id)];
}

/** What is to be tried, and what is known beforehand not to be. */
async function plan(options: Where, plugins: Plugins): Promise<{ planned: Planned[]; cases: CaseResult[] }> {
  const own = options.descriptors ?? [];
  const known = [...own, ...DESCRIPTORS.filter((one) => !own.some((other) => other.type === one.type))];
  const wanted = options.types?.length
    ? options.types
    : [...new Set([...known.map((d) => d.type), ...namesIn(options.dir)])];
  const planned: Planned[] = [];
  const cases: CaseResult[] = [];
  for (const type of wanted) {
    const descriptor = known.find((one) => one.type === type);
    const reason = whyNot(type, descriptor, options, plugins);
    if (!descriptor || reason) {
      cases.push({ id: type, plugin: type, version: '', status: 'skipped', about: 'the plugin', ms: 0, reason });
      continue;
    }
    const facts = await factsOf(descriptor, plugins);
    const list = casesOf(facts).filter((one) => !options.grep || options.grep.test(`${type}/${one.id}`));
    planned.push(...list.map((one) => ({ descriptor, facts, one })));
  }
  return { planned, cases };
}

function namesIn(dir: string): string[] {
  return readdirSync(dir).filter((name) => isExecutable(join(dir, name)));
}

function whyNot(type: string, descriptor: Descriptor | undefined, options: Where, plugins: Plugins): string {
  if (!namesIn(options.dir).includes(type)) return `there is no ${type} in ${options.dir}`;
  if (!descriptor) return 'the suite has no descriptor of this type; give one with --descriptors';
  if (descriptor.ipam && !plugins.paths.has(descriptor.ipam)) return `its IPAM plugin ${descriptor.ipam} is not there`;
  const missing = descriptor.calls?.find((one) => !plugins.paths.has(one));
  if (missing !== undefined) return `${missing}, which it calls, is not there`;
  const { beneath } = descriptor;
  if (beneath && !beneath.some((one) => plugins.paths.has(one)))
    return `none of ${beneath.join(', ')} is there to go before it`;
  return '';
}

async function factsOf(subject: Descriptor, plugins: Plugins): Promise<Facts> {
  using netns = throwAwayNetns();
  const env = { PATH, ...plugins.env, CNI_COMMAND: 'VERSION', CNI_PATH: plugins.cniPath };
  const stdin = JSON.stringify({ cniVersion: '1.0.0' });
  const ran = await run(netns, plugins.paths.get(subject.type) ?? '', [], { env, stdin });
  const list = answerOf('VERSION', ran).json?.supportedVersions;
  const supported = RELEASED.filter((version) => Array.isArray(list) && list.includes(version));
  return {
    subject,
    supported,
    newest: supported.at(-1) ?? '1.0.0',
    has: (version) => supported.some((one) => one === version),
  };
}

/** Features that this kernel has not, each tried in a namespace of its own. */
async function lackingFeatures(): Promise<ReadonlySet<Feature>> {
  const lacking = new Set<Feature>();
  for (const [name, command] of Object.entries(FEATURES) as [Feature, string][]) {
    using node = throwAwayNetns();
    using outside = throwAwayNetns();
    await connectNode(node, outside);
    const [program = '', ...args] = command.startsWith('nft ') ? ['nft', command.slice(4)] : command.split(' ');
    if ((await run(node, program, args)).exit !== 0) lacking.add(name);
  }
  return lacking;
}

async function tryCase(
  { descriptor, facts, one }: Planned,
  options: SuiteOptions,
  plugins: Plugins,
  lacking: ReadonlySet<Feature>,
  tmp: string,
): Promise<CaseResult> {
  const started = performance.now();
  const version = one.version ?? facts.newest;
  const base = { id: `${descriptor.type}/${one.id}`, plugin: descriptor.type, version, about: one.about };
  const end = (rest: Pick<CaseResult, 'status'> & Partial<CaseResult>) => ({
    ...base,
    ...rest,
    ms: Math.round(performance.now() - started),
  });
  const beneath = DESCRIPTORS.find(
    (other) => other.type === descriptor.beneath?.find((type) => plugins.paths.has(type)),
  );
  const needs = [...(beneath?.needs ?? []), ...(descriptor.needs ?? []), ...(one.needs ?? [])];
  const missing = needs.find((feature) => lacking.has(feature));
  if (one.skip !== undefined) return end({ status: 'skipped', reason: one.skip });
  if (
    missing !== undefined &&
    !/^(version|input|env|error)\.(?!unknown-keys|big|huge|deep|kubernetes|foreign|bad-args|key)/.test(one.id)
  ) {
    return end({ status: 'skipped', reason: `this kernel has no ${missing}` });
  }
  const random = seeded(seedOf(options.seed, base.id));
  try {
    using trial = new Trial({
      plugins,
      subject: descriptor,
      beneath,
      version,
      supported: facts.supported,
      random,
      kills: options.kills ?? KILLS,
      tmp,
    });
    await one.run(await trial.open());
    return end({ status: 'passed' });
  } catch (error) {
    if (error instanceof Unmet) return end({ status: 'failed', expected: error.expected, seen: error.seen });
    if (error instanceof NotHere) return end({ status: 'skipped', reason: error.message });
    return end({ status: 'failed', expected: 'the case to run to its end', seen: brief(String(error)) });
  }
}
