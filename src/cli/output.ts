/** `-o`: a value as a person or a program wants it. */

import { Option } from 'commander';
import type { Terminal } from '#cli/terminal.ts';

export type Format = 'text' | 'json' | 'yaml';

/** `-o, --output json|yaml`. */
export function outputOption(): Option {
  return new Option('-o, --output <format>', 'print as').choices(['text', 'json', 'yaml']).default('text');
}

/** Text with more columns, too. */
export type WideFormat = Format | 'wide';

/** `-o, --output json|yaml|wide`. */
export function wideOption(): Option {
  return new Option('-o, --output <format>', 'print as').choices(['text', 'wide', 'json', 'yaml']).default('text');
}

/** Prints the value as JSON or YAML, or as `text` makes of it. */
export async function print<T>(io: Terminal, format: Format, value: T, text: (value: T) => string): Promise<void> {
  if (format === 'json') io.out(`${JSON.stringify(value, null, 2)}\n`);
  else if (format === 'yaml') io.out((await import('yaml')).stringify(value));
  else io.out(text(value));
}
