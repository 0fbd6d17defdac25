/** `polder lab logs` */

import type { Command } from 'commander';
import { command, nameOption, whole } from '#cli/command.ts';
import type { Terminal } from '#cli/terminal.ts';

interface LogsOptions {
  readonly name: string;
  readonly follow?: boolean;
  readonly tail: number;
}

const EXAMPLES = [
  { line: 'polder lab logs node1/agent', does: 'the last lines of an agent' },
  { line: 'polder lab logs apiserver -f', does: 'and what comes next' },
];

export function logsCommand(io: Terminal): Command {
  return command('logs', 'Print the log of one of the lab’s programs.', EXAMPLES)
    .argument('[program]', 'apiserver, controller, supervisor, NODE/agent or NODE/kubelet; without it, their names')
    .addOption(nameOption())
    .option('-f, --follow', 'go on with what is written next')
    .option('--tail <lines>', 'how many lines', whole, 50)
    .action((program: string | undefined, options: LogsOptions) => logs(io, program, options));
}

async function logs(io: Terminal, program: string | undefined, options: LogsOptions): Promise<void> {
  const { followLog, lastLines, logNames, logPath } = await import('#lab/logs.ts');
  if (program === undefined)
    return io.out(
      logNames(options.name)
        .map((name) => `${name}\n`)
        .join(''),
    );
  const path = logPath(options.name, program);
  io.out(lastLines(path, options.tail));
  if (options.follow === true) await followLog(path, (text) => io.out(text), io.signal);
}
