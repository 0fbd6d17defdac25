/** `polder test` */

import { type Command, Option } from 'commander';
import { command, requireRoot, yesOption } from '#cli/command.ts';
import type { Terminal } from '#cli/terminal.ts';
import type { Tally } from '#cli/test/tally.ts';

interface TestOptions {
  readonly unit?: boolean;
  readonly e2e?: boolean;
  readonly grep?: string;
  readonly kernel?: 'debian';
}

const EXAMPLES = [
  { line: 'sudo polder test', does: 'everything' },
  { line: 'polder test --unit', does: 'what needs neither root nor the kernel' },
  { line: 'sudo polder test --e2e --grep "kill -9"', does: 'end-to-end tests of that name' },
  { line: 'sudo polder test --kernel debian', does: "on Debian's kernel in a virtual machine, what this kernel lacks" },
];

export function testCommand(io: Terminal): Command {
  return command('test', 'Run the tests: types, style, layers, units, kernel, end to end.', EXAMPLES)
    .option('--unit', 'only types, style, layers and units')
    .option('--e2e', 'only end to end')
    .option('--grep <pattern>', 'only tests whose name matches; leaves out types and style')
    .addOption(new Option('--kernel <kernel>', 'only in a virtual machine, on that kernel').choices(['debian']))
    .addOption(yesOption())
    .action((options: TestOptions) => test(io, options));
}

async function test(io: Terminal, options: TestOptions): Promise<void> {
  if (options.unit !== true) requireRoot(io);
  const tally = await (options.kernel === undefined ? runHere(options, io) : runThere(options, io));
  for (const { name, reason } of tally.skips) io.out(`skipped: ${name}: ${reason}\n`);
  for (const name of tally.failures) io.out(`failed: ${name}\n`);
  io.out(`${tally.passed} passed, ${tally.failures.length} failed, ${tally.skips.length} skipped\n`);
  if (tally.failures.length > 0 || (tally.passed === 0 && tally.skips.length === 0)) io.exitWith(1);
}

async function runHere(options: TestOptions, io: Terminal): Promise<Tally> {
  const { runTests } = await import('#cli/test/run.ts');
  const wanted = options.unit === true ? ['unit'] : options.e2e === true ? ['e2e'] : ['unit', 'kernel', 'e2e'];
  return runTests({ wanted, ...(options.grep === undefined ? {} : { grep: options.grep }) }, io);
}

async function runThere(options: TestOptions, io: Terminal): Promise<Tally> {
  const { runInMachine } = await import('#cli/test/machine.ts');
  return runInMachine(options.grep, io);
}
