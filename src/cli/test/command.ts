/** `polder test` */

import { type Command, Option } from 'commander';
import { command, requireRoot, yesOption } from '#cli/command.ts';
import type { Terminal } from '#cli/terminal.ts';
import type { TestKind } from '#cli/test/run.ts';

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
  { line: 'sudo polder test portmap', does: 'the files whose path has that word' },
  { line: 'sudo polder test --kernel debian', does: "only on Debian's kernel in a virtual machine" },
  { line: 'sudo polder test --kernel debian vrf', does: 'there, the files whose path has that word' },
];

export function testCommand(io: Terminal): Command {
  return command('test', 'Run the tests: types, style, layers, units, kernel, end to end, virtual machine.', EXAMPLES)
    .argument('[words...]', 'only test files whose path has one of these; leaves out types and style')
    .option('--unit', 'only types, style, layers and units')
    .option('--e2e', 'only end to end')
    .option('--grep <pattern>', 'only tests whose name matches; leaves out types and style')
    .addOption(new Option('--kernel <kernel>', 'only in a virtual machine, on that kernel').choices(['debian']))
    .addOption(yesOption())
    .action((words: string[], options: TestOptions) => test(io, words, options));
}

async function test(io: Terminal, words: readonly string[], options: TestOptions): Promise<void> {
  if (options.unit !== true) requireRoot(io);
  const { runTests } = await import('#cli/test/run.ts');
  const { grep } = options;
  const tally = await runTests({ wanted: kindsOf(options), words, ...(grep !== undefined && { grep }) }, io);
  for (const { name, reason } of tally.skips) io.out(`skipped: ${name}: ${reason}\n`);
  for (const name of tally.failures) io.out(`failed: ${name}\n`);
  io.out(`${tally.passed} passed, ${tally.failures.length} failed, ${tally.skips.length} skipped\n`);
  if (tally.failures.length > 0 || (tally.passed === 0 && tally.skips.length === 0)) io.exitWith(1);
}

/** A name alone says nothing of where it is: booting the machine to look for it there needs `--kernel`. */
function kindsOf({ unit, e2e, grep, kernel }: TestOptions): TestKind[] {
  if (kernel !== undefined) return ['machine'];
  if (unit === true) return ['unit'];
  if (e2e === true) return ['e2e'];
  return grep === undefined ? ['unit', 'kernel', 'e2e', 'machine'] : ['unit', 'kernel', 'e2e'];
}
