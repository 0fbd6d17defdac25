/** `polder lab node add|remove|stop|start` */

import type { Command } from 'commander';
import { agreed, command, nameOption, requireRoot, whole, yesOption } from '#cli/command.ts';
import { progress } from '#cli/progress.ts';
import type { Terminal } from '#cli/terminal.ts';
import { checkName } from '#lab/names.ts';
import type { NodeContext } from '#lab/nodes.ts';
import type { Taint } from '#lab/spec.ts';
import { PolderError } from '#spec/errors.ts';

interface NodeOptions {
  readonly name: string;
  readonly yes?: boolean;
  readonly subnet?: number;
  readonly label?: readonly string[];
  readonly taint?: readonly string[];
}

const EXAMPLES = [
  { line: 'polder lab node add node4 --label disk=ssd', does: 'one more, ready for pods' },
  { line: 'polder lab node stop node2', does: 'as if its power failed' },
  { line: 'polder lab node start node2', does: 'and comes back' },
];

export function nodeCommand(io: Terminal): Command {
  const node = command('node', 'Add, remove, stop and start nodes of a lab.', EXAMPLES);
  return node
    .addCommand(addCommand(io))
    .addCommand(verb(io, 'remove', 'Take a node and its pods out of the cluster and away.', 'is gone'))
    .addCommand(verb(io, 'stop', 'End all that runs in a node at once, as if its power failed.', 'is stopped'))
    .addCommand(verb(io, 'start', 'Start a stopped node again.', 'is ready'));
}

function addCommand(io: Terminal): Command {
  return command('add', 'Add a node to a lab that is up.', [
    { line: 'polder lab node add node4', does: 'in subnet 1' },
    { line: 'polder lab node add db1 --label disk=ssd --taint dedicated=db:NoSchedule', does: 'only for chosen pods' },
  ])
    .argument('<node>', 'its name')
    .addOption(nameOption())
    .option('--subnet <number>', 'which subnet it stands in', whole)
    .option('--label <key=value...>', 'labels of the Node')
    .option('--taint <key=value:effect...>', 'taints of the Node')
    .addOption(yesOption())
    .action((node: string, options: NodeOptions) => add(io, node, options));
}

async function add(io: Terminal, node: string, options: NodeOptions): Promise<void> {
  const wanted = {
    name: node,
    labels: Object.fromEntries((options.label ?? []).map(labelFrom)),
    taints: (options.taint ?? []).map(taintFrom),
    ...(options.subnet === undefined ? {} : { subnet: options.subnet }),
  };
  await change(io, options, async (context) => {
    const { addNode } = await import('#lab/nodes.ts');
    await addNode(options.name, wanted, context);
  });
  io.out(`Node "${node}" is ready.\n`);
}

function verb(io: Terminal, name: 'remove' | 'stop' | 'start', summary: string, ending: string): Command {
  return command(name, summary, [{ line: `polder lab node ${name} node2`, does: '' }])
    .argument('<node>', 'its name')
    .addOption(nameOption())
    .addOption(yesOption())
    .action(async (node: string, options: NodeOptions) => {
      requireRoot(io);
      if (name === 'remove' && !(await agreed(io, options.yes, `Remove node "${node}" with its pods?`))) return;
      await change(io, options, async (context) => {
        const nodes = await import('#lab/nodes.ts');
        const run = { remove: nodes.removeNode, stop: nodes.stopNode, start: nodes.startNode }[name];
        await run(options.name, node, context);
      });
      io.out(`Node "${node}" ${ending}.\n`);
    });
}

async function change(io: Terminal, options: NodeOptions, run: (context: NodeContext) => Promise<void>): Promise<void> {
  checkName('lab', options.name);
  requireRoot(io);
  const { lockLab } = await import('#lab/lock.ts');
  using _lock = await lockLab(options.name);
  await run({ step: progress(io), signal: io.signal });
}

function labelFrom(text: string): [string, string] {
  const [key, value, more] = text.split('=');
  if (key && value !== undefined && more === undefined) return [key, value];
  throw new PolderError('usage', { what: `"${text}" is no label such as disk=ssd.` });
}

/** `key[=value]:effect`, as kubectl takes it. */
function taintFrom(text: string): Taint {
  const found = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text);
  const [, key, value, effect] = found ?? [];
  if (key !== undefined && effect !== undefined) return { key, effect, ...(value === undefined ? {} : { value }) };
  throw new PolderError('usage', { what: `"${text}" is no taint such as dedicated=db:NoSchedule.` });
}
