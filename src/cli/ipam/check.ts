/** `polder ipam check`: as `calicoctl ipam check`, looked at twice. */

import type { Command } from 'commander';
import { checkIpam, type Finding, sameFinding } from '#calc/ipam/check.ts';
import type { IpamState } from '#calc/ipam/state.ts';
import { command, nameOption } from '#cli/command.ts';
import { type ClusterOptions, kubeconfigOption } from '#cli/ipam/options.ts';
import { print, type WideFormat, wideOption } from '#cli/output.ts';
import { table } from '#cli/table.ts';
import { paint, type Terminal } from '#cli/terminal.ts';

interface CheckOptions extends ClusterOptions {
  readonly output: WideFormat;
}

/** What `check -o json` prints and `release --from-report` reads. */
export interface IpamReport {
  readonly pools: number;
  readonly blocks: number;
  readonly nodes: number;
  /** Of pods that have an address of the pod network. */
  readonly podAddresses: number;
  /** That blocks say are given, stocks aside. */
  readonly allocations: number;
  readonly findings: readonly Finding[];
}

const EXAMPLES = [
  { line: 'polder ipam check', does: 'status 1 if something is wrong' },
  { line: 'polder ipam check -o json > report.json', does: 'for polder ipam release --from-report=report.json' },
];
/** A cluster in motion is told from one that is wrong by a second look, ms later. */
const AGAIN_MS = 2_000;

export function checkCommand(io: Terminal): Command {
  return command('check', 'Look for leaked addresses, double use, pods without a block and blocks of nobody.', EXAMPLES)
    .addOption(nameOption())
    .addOption(kubeconfigOption())
    .addOption(wideOption())
    .action((options: CheckOptions) => check(io, options));
}

async function check(io: Terminal, options: CheckOptions): Promise<void> {
  const { withCluster } = await import('#cli/ipam/client.ts');
  const { readIpam } = await import('#cli/ipam/read.ts');
  const report = await withCluster(options, (client) => checkTwice(() => readIpam(client, io.signal), io.signal));
  const { output } = options;
  await print(io, output === 'wide' ? 'text' : output, report, (found) => reportText(found, io, output === 'wide'));
  if (report.findings.length > 0) io.exitWith(1);
}

/** Findings that two looks have in common. */
export async function checkTwice(
  read: () => Promise<IpamState>,
  signal: AbortSignal,
  againMs = AGAIN_MS,
): Promise<IpamReport> {
  const { setTimeout: delay } = await import('node:timers/promises');
  const first = await read();
  const seen = checkIpam(first);
  if (seen.length === 0) return reportOf(first, []);
  await delay(againMs, undefined, { signal });
  const second = await read();
  return reportOf(
    second,
    checkIpam(second).filter((now) => seen.some((before) => sameFinding(before, now))),
  );
}

function reportOf({ pools, blocks, nodes, pods }: IpamState, findings: readonly Finding[]): IpamReport {
  const given = blocks.flatMap((block) => [...block.given.values()]).filter(({ notes }) => notes.type !== 'stock');
  return {
    pools: pools.length,
    blocks: blocks.length,
    nodes: nodes.size,
    podAddresses: pods.filter(({ ended }) => !ended).flatMap(({ addrs }) => addrs).length,
    allocations: given.length,
    findings,
  };
}

export function reportText(report: IpamReport, io: Pick<Terminal, 'outColour'>, wide: boolean): string {
  const { pools, blocks, nodes, podAddresses, allocations, findings } = report;
  const head =
    `${pools} pools, ${blocks} blocks of ${nodes} nodes; ${allocations} addresses are given, ` +
    `pods have ${podAddresses}.\n`;
  if (findings.length === 0) return `${head}${paint(io.outColour, 'green', 'Nothing is wrong.')}\n`;
  const rows = findings.map(({ kind, sentence, addr, block, node, handle }) =>
    wide ? [kind, addr ?? '-', block ?? '-', node ?? '-', handle ?? '-', sentence] : [kind, sentence],
  );
  const columns = wide ? ['PROBLEM', 'IP', 'BLOCK', 'NODE', 'HANDLE', 'WHAT'] : ['PROBLEM', 'WHAT'];
  return `${head}${paint(io.outColour, 'red', `${findings.length} problems:`)}\n\n${table(columns, rows)}`;
}
