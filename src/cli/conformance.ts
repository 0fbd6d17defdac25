/** `polder conformance cni`: tries anyone's CNI plugins against the specification. */

import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { command, requireRoot, whole } from '#cli/command.ts';
import { Stopped } from '#cli/stopped.ts';
import { paint, type Terminal } from '#cli/terminal.ts';
import type { Descriptor } from '#cni/conformance/descriptor.ts';
import { LEVELS, type Level } from '#cni/conformance/levels.ts';
import type { CaseResult } from '#cni/conformance/outcome.ts';
import type { SuiteOptions, SuiteResult } from '#cni/conformance/run.ts';
import { PolderError } from '#spec/errors.ts';

const FORMATS = ['table', 'tap', 'junit'] as const;
type Format = (typeof FORMATS)[number];

interface Flags {
  readonly bin: string;
  readonly with?: readonly string[];
  readonly type?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly format: Format;
  readonly json?: boolean;
  readonly out?: string;
  readonly grep?: string;
  readonly level?: Level;
  readonly seed: number;
  readonly kills: number;
  readonly jobs: number;
  readonly timeout: number;
  readonly descriptors?: string;
}

const EXAMPLES = [
  { line: 'sudo polder conformance cni --bin /opt/cni/bin', does: 'all plugins of that folder' },
  { line: 'sudo polder conformance cni --bin ./bin --type bridge,host-local', does: 'two of them' },
  { line: "sudo polder conformance cni --bin ./bin --grep 'killed|parallel'", does: 'only cases of that name' },
  { line: 'sudo polder conformance cni --bin ./bin --format junit --out r.xml', does: 'for continuous integration' },
];

export function conformanceCommand(io: Terminal): Command {
  return command('conformance', 'Try anyone’s programs against their specification.', EXAMPLES).addCommand(cni(io));
}

function cni(io: Terminal): Command {
  const summary = 'Try CNI plugins: protocol, effect on the kernel, traffic, clean-up. Works in namespaces of its own.';
  return command('cni', summary, EXAMPLES)
    .requiredOption('--bin <dir>', 'folder of the executables to try')
    .option(
      '--with <dirs>',
      'folders of plugins to use where --bin has none (IPAM, chains), parted by ":"',
      parted(':'),
    )
    .option('--type <types>', 'only these plugins, parted by ","', parted(','))
    .option('--env <K=V>', 'environment for the plugins; may be given several times', variable, {})
    .addOption(new Option('--format <format>', 'print as').choices(FORMATS).default('table'))
    .addOption(new Option('--json', 'print {passed, failed, skipped, cases}').conflicts('format'))
    .option('--out <file>', 'print into a file')
    .option('--grep <pattern>', 'only cases whose name, PLUGIN/CASE, matches this regular expression')
    .addOption(
      new Option(
        '--level <level>',
        'only cases that are as binding: must, or should and must; see the documentation',
      ).choices(LEVELS),
    )
    .option('--seed <number>', 'of the random moments at which calls are killed', whole, 1)
    .option('--kills <number>', 'at how many moments each of those cases kills a call', upTo(1000), 10)
    .option('--jobs <number>', 'cases at the same time', upTo(1000), 2)
    .option('--timeout <seconds>', 'how long a call may take', upTo(86_400), 120)
    .option('--descriptors <file>', 'JSON list of descriptors of plugins that the suite does not know')
    .action((flags: Flags) => conform(io, flags));
}

async function conform(io: Terminal, flags: Flags): Promise<void> {
  requireRoot(io);
  for (const dir of [flags.bin, ...(flags.with ?? [])]) needDir(dir);
  if (flags.out !== undefined) needWritable(flags.out);
  const result = await tried(io, flags);
  put(io, flags, await written(flags, result));
  if (result.cutOff) throw new Stopped('what was tried until now is told; nothing that was made for it is left');
  // A run that tried nothing, or nothing of what was asked for, shows nothing.
  if (result.failed > 0 || result.passed === 0 || hasUntried(result, flags.type ?? [])) io.exitWith(1);
}

/** Whether a plugin that was asked for by name has but the row that tells why it is not tried. */
function hasUntried({ cases }: SuiteResult, types: readonly string[]): boolean {
  return cases.some(({ id, plugin }) => id === plugin && types.includes(plugin));
}

async function tried(io: Terminal, flags: Flags): Promise<SuiteResult> {
  const { runSuite } = await import('#cni/conformance/run.ts');
  const options = await optionsOf(io, flags);
  try {
    return await runSuite(options);
  } catch (error) {
    if (io.signal.aborted) throw new Stopped('no case was tried yet; nothing that was made is left');
    throw error;
  }
}

async function optionsOf(io: Terminal, flags: Flags): Promise<SuiteOptions> {
  return {
    dir: flags.bin,
    helpers: flags.with ?? [],
    types: flags.type ?? [],
    env: flags.env,
    seed: flags.seed,
    kills: flags.kills,
    jobs: flags.jobs,
    ...(flags.level !== undefined && { level: flags.level }),
    timeoutMs: flags.timeout * 1000,
    signal: io.signal,
    ...(flags.grep !== undefined && { grep: pattern(flags.grep) }),
    ...(flags.descriptors !== undefined && { descriptors: await descriptorsOf(flags.descriptors) }),
    onResult: (one) => progress(io, one),
  };
}

/** Before the run, which may take an hour. */
function needWritable(file: string): void {
  try {
    closeSync(openSync(file, 'a'));
  } catch (error) {
    throw new PolderError('usage', { what: `--out: ${reasonOf(error)}` });
  }
}

/** A result that cannot be written after all is printed: it must not be lost. */
function put(io: Terminal, { out }: Flags, text: string): void {
  try {
    if (out === undefined) io.out(text);
    else writeFileSync(out, text);
  } catch (error) {
    io.out(text);
    throw new PolderError('usage', { what: `--out: ${reasonOf(error)}` });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function progress(io: Terminal, one: CaseResult): void {
  const colour = { passed: 'green', failed: 'red', skipped: 'yellow' } as const;
  if (io.live) io.err(`${paint(io.errColour, colour[one.status], one.status.padEnd(7))} ${one.id}\n`);
}

async function written(flags: Flags, result: SuiteResult): Promise<string> {
  if (flags.json === true) return `${JSON.stringify(result, null, 2)}\n`;
  if (flags.format === 'tap') return (await import('#cni/conformance/report/tap.ts')).asTap(result);
  if (flags.format === 'junit') return (await import('#cni/conformance/report/junit.ts')).asJunit(result);
  return (await import('#cni/conformance/report/text.ts')).asTable(result);
}

function needDir(dir: string): void {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new PolderError('usage', { what: `${dir} is not a folder` });
}

/** Reads a whole number from 1 to `most`. */
function upTo(most: number): (text: string) => number {
  return (text) => {
    const number = whole(text);
    if (number < 1 || number > most) throw new InvalidArgumentError(`It must be from 1 to ${most}.`);
    return number;
  };
}

function parted(by: string): (text: string) => string[] {
  return (text) => {
    const parts = text.split(by).filter((part) => part !== '');
    if (parts.length === 0) throw new InvalidArgumentError('It must name something.');
    return parts;
  };
}

function variable(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const at = text.indexOf('=');
  if (at <= 0) throw new PolderError('usage', { what: `--env takes K=V, not "${text}"` });
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new PolderError('usage', { what: `--grep: ${reasonOf(error)}` });
  }
}

/** @throws PolderError file-invalid */
async function descriptorsOf(file: string): Promise<readonly Descriptor[]> {
  const { parseDescriptors } = await import('#cni/conformance/descriptor-file.ts');
  try {
    return parseDescriptors(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new PolderError('file-invalid', { file, what: reasonOf(error) });
  }
}
