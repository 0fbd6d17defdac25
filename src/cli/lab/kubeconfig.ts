/** `polder lab kubeconfig` */

import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { command, nameOption } from '#cli/command.ts';
import type { Terminal } from '#cli/terminal.ts';
import { checkName, labPaths } from '#lab/names.ts';
import { PolderError } from '#spec/errors.ts';

const EXAMPLES = [{ line: 'export KUBECONFIG=$(polder lab kubeconfig)', does: 'kubectl then talks to the lab' }];

export function kubeconfigCommand(io: Terminal): Command {
  return command('kubeconfig', 'Print the path of the file by which kubectl reaches the lab.', EXAMPLES)
    .addOption(nameOption())
    .action((options: { name: string }) => {
      const path = labPaths(checkName('lab', options.name)).kubeconfig;
      if (!existsSync(path)) throw new PolderError('no-lab', { lab: options.name });
      io.out(`${path}\n`);
    });
}
