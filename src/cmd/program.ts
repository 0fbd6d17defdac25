/** How every long-running program starts and ends: flags, signals, one sentence for an error, exit status. */

import { keepCompiled } from '#cmd/keep-compiled.ts';
import { PolderError } from '#spec/errors.ts';

export interface Program {
  readonly name: string;
  /** Printed for --help, and after what was wrong with the flags. */
  readonly usage: string;
  readonly needsRoot: boolean;
  /** Reads the flags and returns what then runs until the signal. */
  readonly read: (args: string[]) => (signal: AbortSignal) => Promise<void>;
}

/** Runs it to its end, and ends the process: 0 after SIGTERM or SIGINT, else as the registry of errors says. */
export async function runProgram(program: Program): Promise<never> {
  keepCompiled();
  const end = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end.abort());
  try {
    const args = process.argv.slice(2);
    if (args.includes('--help')) process.stdout.write(program.usage);
    else {
      const run = program.read(args);
      if (program.needsRoot && process.getuid?.() !== 0) throw new PolderError('not-root');
      await run(end.signal);
    }
    process.exit(0);
  } catch (error) {
    process.exit(complain(program, error));
  }
}

function complain({ name, usage }: Program, error: unknown): number {
  const say = (text: string) => process.stderr.write(`polder ${name}: ${text}\n`);
  if (error instanceof PolderError) {
    say(`${error.message}\n${error.todo}`);
    return error.row.exit;
  }
  if (isBadFlag(error)) {
    say(`${error.message}\n${usage.trimEnd()}`);
    return 2;
  }
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return 70;
}

/** What node:util's parseArgs throws. */
function isBadFlag(error: unknown): error is Error {
  return error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
