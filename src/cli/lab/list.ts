/** `polder lab list` */

import type { Command } from 'commander';
import { command } from '#cli/command.ts';
import { type Format, outputOption, print } from '#cli/output.ts';
import { table } from '#cli/table.ts';
import type { Terminal } from '#cli/terminal.ts';
import type { LabSummary } from '#lab/status.ts';

export function listCommand(io: Terminal): Command {
  return command('list', 'List the labs of this machine.', [{ line: 'polder lab list -o json', does: 'for a program' }])
    .addOption(outputOption())
    .action((options: { output: Format }) => list(io, options.output));
}

async function list(io: Terminal, format: Format): Promise<void> {
  const { summaries } = await import('#lab/status.ts');
  await print(io, format, summaries(), asTable);
}

function asTable(labs: readonly LabSummary[]): string {
  if (labs.length === 0) return 'There is no lab. Make one: sudo polder lab up\n';
  const rows = labs.map((lab) => [lab.name, lab.state, lab.profile ?? '-', `${lab.nodes ?? '-'}`, lab.server ?? '-']);
  return table(['NAME', 'STATE', 'PROFILE', 'NODES', 'API'], rows);
}
