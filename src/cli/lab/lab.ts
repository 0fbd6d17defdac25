/** `polder lab`: the cluster on this machine. */

import type { Command } from 'commander';
import { command } from '#cli/command.ts';
import { downCommand } from '#cli/lab/down.ts';
import { kubeconfigCommand } from '#cli/lab/kubeconfig.ts';
import { listCommand } from '#cli/lab/list.ts';
import { loadCommand } from '#cli/lab/load.ts';
import { logsCommand } from '#cli/lab/logs.ts';
import { nodeCommand } from '#cli/lab/node.ts';
import { shellCommand } from '#cli/lab/shell.ts';
import { statusCommand } from '#cli/lab/status.ts';
import { superviseCommand } from '#cli/lab/supervise.ts';
import { upCommand } from '#cli/lab/up.ts';
import { verifyCommand } from '#cli/lab/verify.ts';
import type { Terminal } from '#cli/terminal.ts';

const EXAMPLES = [
  { line: 'polder lab up', does: 'three nodes, ready for pods' },
  { line: 'polder lab shell node1 -- tcpdump -i eth0 icmp', does: 'look at a node from inside' },
  { line: 'polder lab down', does: 'and nothing is left of it' },
];

export function labCommand(io: Terminal): Command {
  return command('lab', 'A cluster of several nodes on this machine, each a network namespace.', EXAMPLES)
    .addCommand(upCommand(io))
    .addCommand(downCommand(io))
    .addCommand(statusCommand(io))
    .addCommand(listCommand(io))
    .addCommand(shellCommand(io))
    .addCommand(kubeconfigCommand(io))
    .addCommand(nodeCommand(io))
    .addCommand(loadCommand(io))
    .addCommand(verifyCommand(io))
    .addCommand(logsCommand(io))
    .addCommand(superviseCommand(io), { hidden: true });
}
