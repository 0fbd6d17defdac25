/** `polder ipam show`: as `calicoctl ipam show`. */

import type { Command } from 'commander';
import type { AddressReport } from '#calc/ipam/lookup.ts';
import { lookUp } from '#calc/ipam/lookup.ts';
import { type BlockUsage, type Counts, type IpamUsage, type PoolUsage, usageOf } from '#calc/ipam/usage.ts';
import { command, nameOption } from '#cli/command.ts';
import { addrArgument, type ClusterOptions, kubeconfigOption } from '#cli/ipam/options.ts';
import { print, type WideFormat, wideOption } from '#cli/output.ts';
import { table } from '#cli/table.ts';
import type { Terminal } from '#cli/terminal.ts';
import type { Addr } from '#net/addr.ts';

interface ShowOptions extends ClusterOptions {
  readonly showBlocks?: boolean;
  readonly showNodes?: boolean;
  readonly showBorrowed?: boolean;
  readonly ip?: Addr;
  readonly output: WideFormat;
}

/** Which tables of text are wanted. */
export type Shown = Pick<ShowOptions, 'showBlocks' | 'showNodes' | 'showBorrowed'> & { readonly wide: boolean };

const EXAMPLES = [
  { line: 'polder ipam show', does: 'how full each pool is' },
  {
    line: 'polder ipam show --show-blocks --show-nodes -o wide',
    does: 'and each block, each node, with what is in stock',
  },
  { line: 'polder ipam show --show-borrowed', does: 'addresses that nodes have of blocks of others' },
  { line: 'polder ipam show --ip=10.244.1.7', does: 'who has it' },
];

export function showCommand(io: Terminal): Command {
  return command('show', 'Show how full pools, blocks and nodes are, or who has an address.', EXAMPLES)
    .option('--show-blocks', 'blocks too')
    .option('--show-nodes', 'nodes too')
    .option('--show-borrowed', 'addresses that nodes have of blocks of others')
    .option('--ip <addr>', 'one address', addrArgument)
    .addOption(nameOption())
    .addOption(kubeconfigOption())
    .addOption(wideOption())
    .action((options: ShowOptions) => show(io, options));
}

async function show(io: Terminal, options: ShowOptions): Promise<void> {
  const { withCluster } = await import('#cli/ipam/client.ts');
  const { readIpam } = await import('#cli/ipam/read.ts');
  const state = await withCluster(options, (client) => readIpam(client, io.signal));
  const { ip, output } = options;
  const format = output === 'wide' ? 'text' : output;
  if (ip !== undefined) return print(io, format, lookUp(state, ip), addressText);
  const shown = { ...options, wide: output === 'wide' };
  await print(io, format, usageOf(state), (usage) => usageText(usage, shown));
}

export function usageText(usage: IpamUsage, shown: Shown): string {
  if (usage.pools.length === 0 && usage.blocks.length === 0) {
    return 'There is no IPPool: pods have addresses of their node’s podCIDR (kubectl get nodes -o wide; docs/ipam.md).\n';
  }
  const parts = [shown.showBorrowed ? borrowedText(usage) : groupsText(usage, shown)];
  if (shown.showNodes) parts.push(nodesText(usage));
  return parts.join('\n');
}

function groupsText({ pools, blocks }: IpamUsage, { showBlocks, wide }: Shown): string {
  const head = ['GROUPING', 'CIDR', 'IPS TOTAL', 'IPS IN USE', 'IPS FREE'];
  const more = wide ? ['IN STOCK', 'BLOCKS', 'NODE', 'RESERVED', 'STATE'] : [];
  const blockRow = (block: BlockUsage) => [
    ...['Block', block.cidr, ...countCells(block)],
    ...(wide ? [`${block.inStock}`, '', block.node ?? 'nobody', `${block.reserved}`, ''] : []),
  ];
  const rows = pools.flatMap((pool) => [
    [
      ...['IP Pool', pool.cidr, ...countCells(pool)],
      ...(wide ? [`${pool.inStock}`, `${pool.blocks} of ${pool.mostBlocks}`, '', '', stateOf(pool)] : []),
    ],
    ...(showBlocks ? blocks.filter((block) => block.pool === pool.name).map(blockRow) : []),
  ]);
  const lost = showBlocks ? blocks.filter((block) => block.pool === undefined).map(blockRow) : [];
  return table([...head, ...more], [...rows, ...lost]);
}

function stateOf({ disabled, leaving }: Pick<PoolUsage, 'disabled' | 'leaving'>): string {
  if (leaving) return 'being deleted';
  return disabled ? 'disabled' : 'enabled';
}

function countCells({ total, inUse, free }: Counts): string[] {
  const share = (part: number) => `${part} (${total === 0 ? 0 : Math.round((part / total) * 100)}%)`;
  return [`${total}`, share(inUse), share(free)];
}

function nodesText({ nodes }: IpamUsage): string {
  const rows = nodes.map((node) => [
    ...[node.node, `${node.blocks}`, ...countCells(node)],
    ...[`${node.inStock}`, `${node.borrowed}`, `${node.lent}`],
  ]);
  return table(['NODE', 'BLOCKS', 'IPS TOTAL', 'IPS IN USE', 'IPS FREE', 'IN STOCK', 'BORROWED', 'LENT'], rows);
}

function borrowedText({ borrowed }: IpamUsage): string {
  if (borrowed.length === 0) return 'No node has borrowed an address.\n';
  const rows = borrowed.map((one) => [one.addr, one.node, one.block, one.owner ?? 'nobody', one.use, one.for]);
  return table(['IP', 'BORROWING-NODE', 'BLOCK', 'BLOCK OWNER', 'TYPE', 'ALLOCATED-TO'], rows);
}

const STATES: Readonly<Record<AddressReport['state'], string>> = {
  outside: 'is of no pool',
  free: 'is free',
  reserved: 'is free, and an IPReservation keeps it from being given',
  stock: 'is free, kept ready by a node',
  'in-use': 'is in use',
};

export function addressText(report: AddressReport): string {
  const { addr, state, pool, block, owner, node, handle, attributes = {}, pods } = report;
  const lines = [
    ['Pool', pool],
    ['Block', block],
    ['Block owner', owner],
    ['Node', node],
    ['Handle', handle],
    ...Object.entries(attributes),
    ['Pods that have it', pods.length === 0 ? undefined : pods.join(', ')],
  ].filter(([, value]) => value !== undefined && value !== '');
  return [`IP ${addr} ${STATES[state]}`, ...lines.map(([key, value]) => `  ${key}: ${value}`), ''].join('\n');
}
