/** `polder ipam`: addresses of a cluster. */

import type { Command } from 'commander';
import { command } from '#cli/command.ts';
import { checkCommand } from '#cli/ipam/check.ts';
import { releaseCommand } from '#cli/ipam/release.ts';
import { showCommand } from '#cli/ipam/show.ts';
import type { Terminal } from '#cli/terminal.ts';

const EXAMPLES = [
  { line: 'polder ipam show --show-blocks', does: 'how full the pools and their blocks are' },
  { line: 'polder ipam check', does: 'leaks, double use, blocks of nobody' },
  { line: 'polder ipam release --ip=10.244.1.7', does: 'take back an address whose pod is gone' },
];

export function ipamCommand(io: Terminal): Command {
  return command('ipam', 'Addresses of pods: pools, blocks, leaks.', EXAMPLES)
    .addCommand(showCommand(io))
    .addCommand(checkCommand(io))
    .addCommand(releaseCommand(io));
}
