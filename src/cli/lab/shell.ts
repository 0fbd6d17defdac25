/** `polder lab shell` */

import type { Command } from 'commander';
import { command, nameOption, requireRoot } from '#cli/command.ts';
import type { Terminal } from '#cli/terminal.ts';
import { checkName } from '#lab/names.ts';

const EXAMPLES = [
  { line: 'polder lab shell node1', does: 'a shell in the node' },
  { line: 'polder lab shell node2 -- tcpdump -ni eth0 icmp', does: 'one command in it' },
  {
    line: 'polder lab shell tor.frr -- ip route',
    does: 'in a router of `lab up --tor`; tor.frr.host is a host behind it',
  },
];

export function shellCommand(io: Terminal): Command {
  return command('shell', 'Run a shell, or one command, in the network of a node.', EXAMPLES)
    .argument('<node>', 'which node; "underlay" is the router between them')
    .argument('[command...]', 'what to run in place of a shell, after "--"')
    .addOption(nameOption())
    .passThroughOptions()
    .action(async (node: string, words: string[], options: { name: string }) => {
      checkName('lab', options.name);
      requireRoot(io);
      const { runInNode } = await import('#lab/shell.ts');
      const [first, ...rest] = words;
      io.exitWith(await runInNode(options.name, node, first === '--' ? rest : words, io.env));
    });
}
