/** `polder ipam release`: as `calicoctl ipam release`, and never a living pod's address. */

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { isReleasable } from '#calc/ipam/check.ts';
import { agreed, command, nameOption, yesOption } from '#cli/command.ts';
import type { IpamReport } from '#cli/ipam/check.ts';
import { addrsArgument, type ClusterOptions, kubeconfigOption } from '#cli/ipam/options.ts';
import type { Outcome } from '#cli/ipam/take-back.ts';
import { print, type WideFormat, wideOption } from '#cli/output.ts';
import { table } from '#cli/table.ts';
import type { Terminal } from '#cli/terminal.ts';
import { type Addr, readAddr } from '#net/addr.ts';
import { PolderError } from '#spec/errors.ts';

interface ReleaseOptions extends ClusterOptions {
  readonly ip?: readonly Addr[];
  readonly fromReport?: string;
  readonly force?: boolean;
  readonly yes?: boolean;
  readonly output: WideFormat;
}

const EXAMPLES = [
  { line: 'polder ipam release --ip=10.244.1.7', does: 'an address whose pod is gone' },
  { line: 'polder ipam release --from-report=report.json', does: 'all leaks that polder ipam check -o json found' },
];

export function releaseCommand(io: Terminal): Command {
  return command('release', 'Take back addresses that nobody uses any more.', EXAMPLES)
    .option('--ip <addr>', 'this address; may be given several times', addrsArgument)
    .option('--from-report <file>', 'leaks of a report, as far as they are still there')
    .option('--force', 'also what is not known to be leaked; a living pod’s never')
    .addOption(yesOption())
    .addOption(nameOption())
    .addOption(kubeconfigOption())
    .addOption(wideOption())
    .action((options: ReleaseOptions) => releaseAll(io, options));
}

async function releaseAll(io: Terminal, options: ReleaseOptions): Promise<void> {
  const addrs = wanted(options);
  const { output, yes, force = false } = options;
  if (addrs.length === 0) return print(io, output === 'wide' ? 'text' : output, [], outcomesText);
  const question = `Take back ${addrs.length === 1 ? addrs[0] : `${addrs.length} addresses`}?`;
  if (!(await agreed(io, yes, question))) return;
  const { withCluster } = await import('#cli/ipam/client.ts');
  const { readIpam } = await import('#cli/ipam/read.ts');
  const { takeBack } = await import('#cli/ipam/take-back.ts');
  const outcomes = await withCluster(options, async (client) => {
    const done: Outcome[] = [];
    for (const addr of addrs) done.push(await takeBack(client, () => readIpam(client, io.signal), addr, force));
    return done;
  });
  const [only] = outcomes;
  if (outcomes.length === 1 && only !== undefined) throwIfRefused(only);
  await print(io, output === 'wide' ? 'text' : output, outcomes, outcomesText);
  if (outcomes.some(isRefused)) io.exitWith(1);
}

function wanted({ ip = [], fromReport }: ReleaseOptions): Addr[] {
  if (ip.length === 0 && fromReport === undefined) {
    throw new PolderError('usage', { what: 'Which addresses? Give --ip or --from-report.' });
  }
  return [...new Set([...ip, ...(fromReport === undefined ? [] : reported(fromReport))])];
}

/** Addresses of a report that can be released. @throws PolderError file-invalid */
function reported(file: string): Addr[] {
  let report: Partial<IpamReport>;
  try {
    report = JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
  } catch (error) {
    throw new PolderError('file-invalid', { file, what: error instanceof Error ? error.message : String(error) });
  }
  if (!Array.isArray(report?.findings)) {
    throw new PolderError('file-invalid', { file, what: 'it is no report that `polder ipam check -o json` printed' });
  }
  const addrs = report.findings.filter(isReleasable).map(({ addr = '' }) => readAddr(addr));
  return addrs.filter((addr) => addr !== undefined);
}

function isRefused({ outcome }: Outcome): boolean {
  return outcome === 'living' || outcome === 'not-leaked';
}

function throwIfRefused({ addr, outcome, who = '' }: Outcome): void {
  if (outcome === 'living') throw new PolderError('address-living', { address: addr, who });
  if (outcome === 'not-leaked') throw new PolderError('address-not-leaked', { address: addr, who });
}

const WORDS: Readonly<Record<Outcome['outcome'], string>> = {
  released: 'released',
  nothing: 'was not given to anybody',
  living: 'not released: in use',
  'not-leaked': 'not released: not known to be leaked (--force)',
};

export function outcomesText(outcomes: readonly Outcome[]): string {
  if (outcomes.length === 0) return 'The report has no address to take back.\n';
  return table(
    ['IP', 'RESULT', 'WHOSE'],
    outcomes.map(({ addr, outcome, who = '-' }) => [addr, WORDS[outcome], who]),
  );
}
