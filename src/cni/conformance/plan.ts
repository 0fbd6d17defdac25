/** What a run is to try: the plugins of a folder, what is known of each, and its cases. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { answerOf } from '#cni/conformance/answer.ts';
import { TIMEOUT_MS, within } from '#cni/conformance/bounds.ts';
import { type Case, type Facts, RELEASED } from '#cni/conformance/case.ts';
import { casesOf } from '#cni/conformance/cases/all.ts';
import type { Descriptor } from '#cni/conformance/descriptor.ts';
import { DESCRIPTORS } from '#cni/conformance/descriptors/table.ts';
import { isExecutable, PATH, run } from '#cni/conformance/exec.ts';
import { throwAwayNetns } from '#cni/conformance/ground.ts';
import { isWithin, type Level, type Standing, standingOf } from '#cni/conformance/levels.ts';
import type { CaseResult } from '#cni/conformance/outcome.ts';
import type { Plugins } from '#cni/conformance/trial.ts';
import { PolderError } from '#spec/errors.ts';

/** What is to be tried, without how. */
export interface Where {
  /** Folder of the executables that are tried. */
  readonly dir: string;
  /** Folders where the plugins are found that go before or are delegated to, if the first lacks them. */
  readonly helpers?: readonly string[];
  /** Only these types; all that are known if empty. */
  readonly types?: readonly string[];
  /** Only cases whose `plugin/id` matches. */
  readonly grep?: RegExp;
  /** Only cases that are as binding as this; all if absent. */
  readonly level?: Level;
  readonly env?: Readonly<Record<string, string>>;
  /** Descriptors of types that the suite does not know by itself, or knows otherwise. */
  readonly descriptors?: readonly Descriptor[];
  /** How long a call may take, milliseconds. */
  readonly timeoutMs?: number;
  /** Ends it all, whatever is running. */
  readonly signal?: AbortSignal;
}

export interface Planned {
  readonly descriptor: Descriptor;
  /** The main plugin that goes before, if it needs one. */
  readonly beneath: Descriptor | undefined;
  readonly facts: Facts;
  readonly one: Case;
  readonly standing: Standing;
}

export interface Plan {
  readonly plugins: Plugins;
  readonly planned: readonly Planned[];
  /** A row for each plugin that cannot be tried. */
  readonly cases: readonly CaseResult[];
}

/** Names of all cases that a run would have, `plugin/id`, those included that it would skip. Runs nothing but VERSION. */
export async function listCases(where: Where): Promise<string[]> {
  const { planned, cases } = await planCases(where);
  return [...planned.map(({ descriptor, one }) => `${descriptor.type}/${one.id}`), ...cases.map(({ id }) => id)];
}

export async function planCases(where: Where): Promise<Plan> {
  const plugins = findPlugins(where);
  const known = knownDescriptors(where);
  const planned: Planned[] = [];
  const cases: CaseResult[] = [];
  for (const type of wantedTypes(where, known)) {
    const found = subjectOf(type, known, where, plugins);
    if ('reason' in found) {
      cases.push({ id: type, plugin: type, version: '', status: 'skipped', about: 'the plugin', ms: 0, ...found });
      continue;
    }
    const facts = await factsOf(found.descriptor, plugins, where);
    const all = withSkips(facts).map((one) => ({
      ...found,
      facts,
      one,
      standing: standingOf(one.id, facts.subject.kind),
    }));
    planned.push(...all.filter((item) => isWanted(item, where)));
  }
  return { plugins, planned, cases };
}

/** @throws PolderError usage if the descriptor names a case that the plugin would have in no version */
function withSkips(facts: Facts): Case[] {
  const { type, skip = {} } = facts.subject;
  const newest = { ...facts, supported: RELEASED, newest: RELEASED.at(-1) ?? '', has: () => true };
  const known = new Set(casesOf(newest).map(({ id }) => id));
  const unknown = Object.keys(skip).find((id) => !known.has(id));
  if (unknown !== undefined)
    throw new PolderError('usage', { what: `the descriptor of ${type} skips ${unknown}, which is no case of it` });
  return casesOf(facts).map((one) => {
    const reason = skip[one.id] ?? one.skip;
    return reason === undefined ? one : { ...one, skip: reason };
  });
}

function isWanted({ facts, one, standing }: Planned, { grep, level = 'beyond' }: Where): boolean {
  return isWithin(standing.level, level) && (!grep || grep.test(`${facts.subject.type}/${one.id}`));
}

/** Executables of the folders; the first folder that has one wins. */
function findPlugins(where: Where): Plugins {
  const paths = new Map<string, string>();
  const dirs = [where.dir, ...(where.helpers ?? [])];
  for (const dir of dirs) for (const name of namesIn(dir)) if (!paths.has(name)) paths.set(name, join(dir, name));
  return { paths, cniPath: dirs.join(':'), env: where.env ?? {} };
}

function namesIn(dir: string): string[] {
  return readdirSync(dir).filter((name) => isExecutable(join(dir, name)));
}

/** Those that are given take the place of the suite's own. */
function knownDescriptors({ descriptors = [] }: Where): readonly Descriptor[] {
  return [...descriptors, ...DESCRIPTORS.filter((one) => !descriptors.some((other) => other.type === one.type))];
}

/** @throws PolderError usage if there is nothing that could be tried, or nothing known of what is asked for */
function wantedTypes({ dir, types = [] }: Where, known: readonly Descriptor[]): ReadonlySet<string> {
  const there = namesIn(dir);
  const isKnown = (type: string) => known.some((one) => one.type === type);
  const unknown = types.find((type) => !isKnown(type));
  if (unknown !== undefined) throw new PolderError('usage', { what: unknownType(unknown, there.includes(unknown)) });
  if (there.length === 0) throw new PolderError('usage', { what: `there is no executable in ${dir}` });
  return new Set(types.length > 0 ? types : [...known.map(({ type }) => type), ...there]);
}

function unknownType(type: string, isThere: boolean): string {
  return isThere
    ? `the suite knows nothing of ${type}: give a descriptor of it with --descriptors`
    : `the suite knows no type "${type}", and the folder has none of that name`;
}

type Subject = Pick<Planned, 'descriptor' | 'beneath'>;

/** @returns the reason, if it cannot be tried */
function subjectOf(
  type: string,
  known: readonly Descriptor[],
  where: Where,
  plugins: Plugins,
): Subject | { readonly reason: string } {
  const descriptor = known.find((one) => one.type === type);
  if (!namesIn(where.dir).includes(type)) return { reason: `there is no ${type} in ${where.dir}` };
  if (!descriptor) return { reason: 'the suite has no descriptor of this type; give one with --descriptors' };
  const lacks = lackOf(descriptor, plugins);
  if (lacks !== undefined) return { reason: lacks };
  const types = descriptor.beneath ?? [];
  const beneath = types.flatMap((name) => known.find((one) => one.type === name && goesBefore(one, plugins)) ?? [])[0];
  if (types.length > 0 && !beneath) return { reason: `none of ${types.join(', ')} is there to go before it` };
  return { descriptor, beneath };
}

/** What a plugin calls and is not there. */
function lackOf({ ipam, calls = [] }: Descriptor, { paths }: Plugins): string | undefined {
  if (ipam !== undefined && !paths.has(ipam)) return `its IPAM plugin ${ipam} is not there`;
  const missing = calls.find((one) => !paths.has(one));
  return missing === undefined ? undefined : `${missing}, which it calls, is not there`;
}

function goesBefore(one: Descriptor, plugins: Plugins): boolean {
  return one.kind === 'main' && plugins.paths.has(one.type) && lackOf(one, plugins) === undefined;
}

/** A plugin that cannot be started, or does not answer, supports nothing: its cases will say so. */
async function factsOf(subject: Descriptor, plugins: Plugins, where: Where): Promise<Facts> {
  using netns = throwAwayNetns();
  const env = { PATH, ...plugins.env, CNI_COMMAND: 'VERSION', CNI_PATH: plugins.cniPath };
  const stdin = JSON.stringify({ cniVersion: '1.0.0' });
  const program = plugins.paths.get(subject.type) ?? '';
  const bounds = { signal: where.signal, timeoutMs: where.timeoutMs ?? TIMEOUT_MS };
  const ran = await within(bounds, () => run(netns, program, [], { env, stdin }));
  const list = answerOf('VERSION', ran).json?.supportedVersions;
  const supported = RELEASED.filter((version) => Array.isArray(list) && list.includes(version));
  return {
    subject,
    supported,
    newest: supported.at(-1) ?? '1.0.0',
    has: (version) => supported.some((one) => one === version),
  };
}
