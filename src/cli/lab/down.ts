/** `polder lab down` */

import type { Command } from 'commander';
import { agreed, command, nameOption, requireRoot, yesOption } from '#cli/command.ts';
import { progress } from '#cli/progress.ts';
import type { Terminal } from '#cli/terminal.ts';

interface DownOptions {
  readonly name: string;
  readonly yes?: boolean;
}

const EXAMPLES = [
  { line: 'polder lab down', does: 'remove the lab and all that it made' },
  { line: 'polder lab down --name two -y', does: 'remove another, without being asked' },
];

export function downCommand(io: Terminal): Command {
  return command('down', 'Remove a lab: nothing of it stays behind, not even after a crash.', EXAMPLES)
    .addOption(nameOption())
    .addOption(yesOption())
    .action((options: DownOptions) => down(io, options));
}

async function down(io: Terminal, options: DownOptions): Promise<void> {
  const { checkName } = await import('#lab/names.ts');
  checkName('lab', options.name);
  requireRoot(io);
  const [{ lockLab }, { removeLab }] = await Promise.all([import('#lab/lock.ts'), import('#lab/down.ts')]);
  using _lock = await lockLab(options.name);
  if (!(await agreed(io, options.yes, `Remove lab "${options.name}" with all its pods?`))) return;
  const removed = await removeLab(options.name, progress(io));
  const there = removed.files || removed.namespaces > 0 || removed.mounts > 0;
  io.out(there ? `Lab "${options.name}" is gone.\n` : `There was no lab "${options.name}".\n`);
}
