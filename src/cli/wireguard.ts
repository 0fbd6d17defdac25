/** `polder wireguard status|rotate` */

import type { Command } from 'commander';
import { command, nameOption, requireRoot } from '#cli/command.ts';
import { type Format, outputOption, print } from '#cli/output.ts';
import { table } from '#cli/table.ts';
import type { Terminal } from '#cli/terminal.ts';
import { checkName } from '#lab/names.ts';
import type { EncryptionStatus } from '#lab/wireguard.ts';

interface Options {
  readonly name: string;
  readonly output: Format;
}

const STATUS = [{ line: 'polder wireguard status', does: 'who speaks to whom encrypted, and which pods are not' }];
const ROTATE = [
  { line: 'polder wireguard rotate', does: 'new keys on every node' },
  { line: 'polder wireguard rotate node2', does: 'on one' },
];

export function wireguardCommand(io: Terminal): Command {
  const status = command('status', 'Show what is encrypted between the nodes of a lab, and which pods are not.', STATUS)
    .addOption(nameOption())
    .addOption(outputOption())
    .action((options: Options) => show(io, options));
  const rotate = command(
    'rotate',
    'Give nodes new WireGuard keys; the others hear of them through the cluster.',
    ROTATE,
  )
    .argument('[node...]', 'all nodes unless some are named')
    .addOption(nameOption())
    .action((nodes: string[], options: Options) => renew(io, nodes, options));
  return command('wireguard', 'Encryption between nodes.', [...STATUS, ...ROTATE])
    .addCommand(status)
    .addCommand(rotate);
}

async function show(io: Terminal, { name, output }: Options): Promise<void> {
  requireRoot(io);
  const { encryptionStatus } = await import('#lab/wireguard.ts');
  await print(io, output, await encryptionStatus(checkName('lab', name), io.signal), encryptionText);
}

export function encryptionText({ ways, plainPods, problems }: EncryptionStatus): string {
  const rows = ways.map((way) => [
    way.from,
    way.to,
    `IPv${way.family}`,
    way.lastHandshake ?? 'never',
    `${way.rxBytes}`,
    `${way.txBytes}`,
    way.publicKey,
  ]);
  const encrypted =
    ways.length === 0
      ? 'Nothing is encrypted between nodes.\n'
      : table(['NODE', 'PEER', 'FAMILY', 'LAST HANDSHAKE', 'RECEIVED', 'SENT', 'KEY'], rows);
  const pods = plainPods.length === 0 ? '' : `\nPods spoken to unencrypted: ${plainPods.join(', ')}\n`;
  return encrypted + pods + problems.map((problem) => `\n${problem}\n`).join('');
}

async function renew(io: Terminal, nodes: readonly string[], { name }: Options): Promise<void> {
  requireRoot(io);
  const { rotateKeys } = await import('#lab/wireguard.ts');
  for (const { node, rotated } of await rotateKeys(checkName('lab', name), nodes)) {
    io.out(rotated === 0 ? `${node} has no keys: nothing is encrypted there\n` : `${node} has ${rotated} new keys\n`);
  }
}
