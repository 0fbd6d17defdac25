/** `polder lab load` */

import type { Command } from 'commander';
import { command, nameOption, requireRoot } from '#cli/command.ts';
import type { Terminal } from '#cli/terminal.ts';
import { checkName } from '#lab/names.ts';

const EXAMPLES = [
  { line: 'docker save my/app:1 -o app.tar && polder lab load app.tar', does: 'then pods can name it' },
];

export function loadCommand(io: Terminal): Command {
  return command('load', 'Give the lab an image from a tar file (OCI layout or docker save).', EXAMPLES)
    .argument('<file>', 'the tar file')
    .addOption(nameOption())
    .action(async (file: string, options: { name: string }) => {
      checkName('lab', options.name);
      requireRoot(io);
      const [{ loadIntoLab }, { lockLab }] = await Promise.all([import('#lab/load.ts'), import('#lab/lock.ts')]);
      using _lock = await lockLab(options.name);
      for (const name of await loadIntoLab(options.name, file)) io.out(`${name}\n`);
    });
}
