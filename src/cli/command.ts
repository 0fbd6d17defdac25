/** Commands with help that all looks alike: what it does, its options, examples. */

import { Command, InvalidArgumentError, Option } from 'commander';
import type { Terminal } from '#cli/terminal.ts';
import { DEFAULT_LAB } from '#lab/names.ts';
import { PolderError } from '#spec/errors.ts';

export interface Example {
  readonly line: string;
  readonly does: string;
}

/** A command with examples below its help. */
export function command(name: string, summary: string, examples: readonly Example[] = []): Command {
  const made = new Command(name)
    .description(summary)
    .helpOption('-h, --help', 'print this help')
    .enablePositionalOptions();
  return examples.length === 0 ? made : made.addHelpText('after', `\n${exampleText(examples)}`);
}

function exampleText(examples: readonly Example[]): string {
  const width = Math.max(...examples.map(({ line }) => line.length));
  return ['Examples:', ...examples.map(({ line, does }) => `  ${line.padEnd(width)}  ${does}`)].join('\n');
}

/** `--name`, which every command of the lab takes. */
export function nameOption(): Option {
  return new Option('--name <lab>', 'which lab').default(DEFAULT_LAB);
}

/** `-y`, for all that may ask. */
export function yesOption(): Option {
  return new Option('-y, --yes', 'do not ask');
}

/** Reads an option's whole number. @throws InvalidArgumentError, which commander says with the option's name */
export function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** @throws PolderError 'not-root' */
export function requireRoot(io: Terminal): void {
  if (!io.root) throw new PolderError('not-root');
}

/** True if the person agrees, has said so by `-y`, or is none. */
export async function agreed(io: Terminal, yes: boolean | undefined, question: string): Promise<boolean> {
  if (yes === true || !io.canAsk) return true;
  return /^y(es)?$/i.test((await io.ask(`${question} [y/N] `)).trim());
}

/** How the person started this program: what to print in lines to copy. */
export function self(io: Terminal): string {
  return io.env.POLDER_COMMAND ?? 'polder';
}
