/** `polder lab status` */

import type { Command } from 'commander';
import { command, nameOption, self } from '#cli/command.ts';
import { type Format, outputOption, print } from '#cli/output.ts';
import { table } from '#cli/table.ts';
import { paint, type Terminal } from '#cli/terminal.ts';
import { checkName } from '#lab/names.ts';
import type { LabStatus } from '#lab/status.ts';

interface StatusOptions {
  readonly name: string;
  readonly output: Format;
}

const EXAMPLES = [
  { line: 'polder lab status', does: 'nodes and programs' },
  { line: 'polder lab status -o json', does: 'the same for a program' },
];

export function statusCommand(io: Terminal): Command {
  return command('status', 'Show how a lab is doing: its nodes and its programs.', EXAMPLES)
    .addOption(nameOption())
    .addOption(outputOption())
    .action((options: StatusOptions) => status(io, options));
}

async function status(io: Terminal, options: StatusOptions): Promise<void> {
  const { labStatus } = await import('#lab/status.ts');
  const found = await labStatus(checkName('lab', options.name));
  await print(io, options.output, found, (value) => asText(io, value));
}

function asText(io: Terminal, lab: LabStatus): string {
  const colour = lab.state === 'up' ? 'green' : lab.state === 'degraded' ? 'yellow' : 'red';
  const head = `Lab ${lab.name} is ${paint(io.outColour, colour, lab.state)}, profile ${lab.profile}, pods in ${lab.clusterCIDR}, API at ${lab.server}\n`;
  const nodes = lab.nodeStatus.map((node) => [
    node.name,
    node.state,
    node.address,
    node.podCIDR ?? '-',
    `${node.pods}`,
  ]);
  const programs = lab.programs.map((program) => [
    program.id,
    program.state,
    `${program.pid ?? '-'}`,
    `${program.restarts}`,
    program.lastEnd ?? '-',
  ]);
  const mend = lab.state === 'up' ? '' : `\nBring it up again: sudo ${self(io)} lab up --name ${lab.name}\n`;
  return (
    [
      head,
      table(['NODE', 'STATE', 'ADDRESS', 'PODS IN', 'PODS'], nodes),
      table(['PROGRAM', 'STATE', 'PID', 'RESTARTS', 'LAST END'], programs),
    ].join('\n') + mend
  );
}
