/** `polder lab supervise`: what `lab up` starts; not for people, so not in the help. */

import type { Command } from 'commander';
import { command, nameOption } from '#cli/command.ts';
import type { Terminal } from '#cli/terminal.ts';

export function superviseCommand(io: Terminal): Command {
  return command('supervise', 'Keep the programs of a lab running.')
    .addOption(nameOption())
    .action(async (options: { name: string }) => {
      const { runSupervisor } = await import('#lab/supervisor/service.ts');
      const log = (line: string) => io.err(`${new Date().toISOString()} ${line}\n`);
      await runSupervisor(options.name, io.env.NODE_COMPILE_CACHE ?? '', io.signal, log);
    });
}
