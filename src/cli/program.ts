/** The tree of all commands. What a command does is loaded only when it runs, so that help is quick. */

import { Command } from 'commander';
import { apiCommand } from '#cli/api.ts';
import { bgpCommand } from '#cli/bgp.ts';
import { cniCommand } from '#cli/cni.ts';
import { command } from '#cli/command.ts';
import { completionCommand } from '#cli/completion.ts';
import { conformanceCommand } from '#cli/conformance.ts';
import { ipamCommand } from '#cli/ipam/ipam.ts';
import { labCommand } from '#cli/lab/lab.ts';
import { profileCommand } from '#cli/profile/profile.ts';
import type { Terminal } from '#cli/terminal.ts';
import { testCommand } from '#cli/test/command.ts';
import { wireguardCommand } from '#cli/wireguard.ts';

const EXAMPLES = [
  { line: 'sudo polder lab up', does: 'a cluster of three nodes on this machine' },
  { line: 'sudo polder lab verify', does: 'proof that its network is as Kubernetes wants it' },
  { line: 'sudo polder lab down', does: 'and nothing is left of it' },
];

/** A command of its own file in `src/cmd`, which reads its arguments itself. */
export interface OwnProgram {
  readonly name: string;
  readonly summary: string;
  run(args: readonly string[]): Promise<void>;
}

export function polderCommand(io: Terminal, version: string, programs: readonly OwnProgram[]): Command {
  const polder = command('polder', 'A Kubernetes pod network that explains itself.', EXAMPLES)
    .version(version, '-V, --version', 'print the version')
    .addCommand(labCommand(io))
    .addCommand(cniCommand(io))
    .addCommand(ipamCommand(io))
    .addCommand(profileCommand(io))
    .addCommand(wireguardCommand(io))
    .addCommand(bgpCommand(io))
    .addCommand(apiCommand(io))
    .addCommand(testCommand(io))
    .addCommand(conformanceCommand(io));
  for (const program of programs) polder.addCommand(ownCommand(program));
  return polder.addCommand(completionCommand(io, polder));
}

function ownCommand(program: OwnProgram): Command {
  return new Command(program.name)
    .description(program.summary)
    .argument('[arguments...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action((args: string[]) => program.run(args));
}
