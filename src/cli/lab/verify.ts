/** `polder lab verify` */

import type { Command } from 'commander';
import { command, nameOption, requireRoot, whole } from '#cli/command.ts';
import { paint, type Terminal } from '#cli/terminal.ts';
import { checkName } from '#lab/names.ts';

interface VerifyOptions {
  readonly name: string;
  readonly json?: boolean;
  readonly timeout?: number;
}

const EXAMPLES = [
  { line: 'polder lab verify', does: 'a line for each claim, with what was seen' },
  { line: 'polder lab verify --json', does: '[{id, ok, seen}]' },
];

export function verifyCommand(io: Terminal): Command {
  return command('verify', 'Prove with real pods that the lab keeps the Kubernetes network model.', EXAMPLES)
    .addOption(nameOption())
    .option('--json', 'print one JSON array')
    .option('--timeout <seconds>', 'how long a pod may take until it is ready (default: 60)', whole)
    .action((options: VerifyOptions) => verify(io, options));
}

async function verify(io: Terminal, options: VerifyOptions): Promise<void> {
  checkName('lab', options.name);
  requireRoot(io);
  const [{ verifyLab }, { lockLab }] = await Promise.all([import('#lab/verify/verify.ts'), import('#lab/lock.ts')]);
  using _lock = await lockLab(options.name);
  const results = await verifyLab(options.name, {
    signal: io.signal,
    tell: (result) => {
      if (options.json === true) return;
      const mark = result.ok ? paint(io.outColour, 'green', 'ok  ') : paint(io.outColour, 'red', 'FAIL');
      io.out(`${mark}  ${result.id}  ${result.seen}\n`);
    },
    ...(options.timeout === undefined ? {} : { readyMs: options.timeout * 1000 }),
  });
  if (options.json === true) io.out(`${JSON.stringify(results)}\n`);
  if (results.some((result) => !result.ok)) io.exitWith(1);
}
