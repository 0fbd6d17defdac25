/** `polder api backup|restore` */

import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { agreed, command, nameOption, requireRoot, yesOption } from '#cli/command.ts';
import { type Format, outputOption, print } from '#cli/output.ts';
import { progress } from '#cli/progress.ts';
import type { Terminal } from '#cli/terminal.ts';
import { PolderError } from '#spec/errors.ts';

interface Options {
  readonly name: string;
  readonly output: Format;
  readonly force?: boolean;
  readonly yes?: boolean;
}

const BACKUP = [
  { line: 'polder api backup lab.db', does: 'all objects of the lab, Secrets too, as one file' },
  { line: 'polder api backup lab.db --force', does: 'and in place of the one that is there' },
];
const RESTORE = [{ line: 'polder api restore lab.db', does: 'the lab is again as it was; pods made since are ended' }];

export function apiCommand(io: Terminal): Command {
  const backup = command('backup', "Write all that a lab's API holds into a file, while it runs.", BACKUP)
    .argument('<file>', 'where to; only its owner can read it')
    .addOption(nameOption())
    .addOption(outputOption())
    .option('--force', 'replace the file if it is there')
    .action((file: string, options: Options) => save(io, file, options));
  const restore = command('restore', "Give a lab's API the state of a backup.", RESTORE)
    .argument('<file>', 'what `polder api backup` has written')
    .addOption(nameOption())
    .addOption(outputOption())
    .addOption(yesOption())
    .action((file: string, options: Options) => load(io, file, options));
  return command('api', "The lab's API server: its state as a file, and back.", [...BACKUP, ...RESTORE])
    .addCommand(backup)
    .addCommand(restore);
}

async function save(io: Terminal, file: string, { name, output, force }: Options): Promise<void> {
  const { lab, backupApi } = await parts(io, name);
  if (force !== true && existsSync(file)) throw new PolderError('backup-there', { file });
  const summary = await progress(io)(`backing up lab ${lab}`, () => backupApi(lab, file, io.signal));
  await print(
    io,
    output,
    { file, ...summary },
    () => `${file}: ${summary.objects} objects, revision ${summary.revision}\n`,
  );
}

async function load(io: Terminal, file: string, { name, output, yes }: Options): Promise<void> {
  const { lab, restoreApi } = await parts(io, name);
  const question = `Replace all objects of lab "${lab}" by those of ${file}?`;
  if (!(await agreed(io, yes, question))) return;
  const summary = await progress(io)(`restoring lab ${lab}`, () => restoreApi(lab, file, io.signal));
  await print(io, output, { file, ...summary }, () => `Lab "${lab}" has the ${summary.objects} objects of ${file}.\n`);
}

async function parts(io: Terminal, name: string) {
  requireRoot(io);
  const [{ checkName }, copy] = await Promise.all([import('#lab/names.ts'), import('#lab/api-copy.ts')]);
  return { lab: checkName('lab', name), ...copy };
}
