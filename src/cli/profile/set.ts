/** `polder profile set NAME` */

import type { Command } from 'commander';
import {
  after,
  type ClusterView,
  changeTo,
  MODE_WORDS,
  type ProfileChange,
  progressOf,
  whyApart,
} from '#calc/profiles/change.ts';
import { command, nameOption, requireRoot, whole } from '#cli/command.ts';
import { type ClusterOptions, kubeconfigOption } from '#cli/ipam/options.ts';
import { progress } from '#cli/progress.ts';
import type { Terminal } from '#cli/terminal.ts';
import type { ApiClient } from '#feed/client.ts';
import type { LabSpec } from '#lab/spec.ts';
import { PROFILE_NAMES, PROFILES, type ProfileName } from '#spec/cluster.ts';
import { nearest } from '#spec/config.ts';
import { PolderError } from '#spec/errors.ts';

interface SetOptions extends ClusterOptions {
  readonly dryRun?: boolean;
  readonly timeout: number;
}

const EXAMPLES = [
  { line: 'polder profile set calico-ipip --dry-run', does: 'what would change, and what would not' },
  { line: 'polder profile set calico-ipip', does: 'change, and wait until every node has' },
];
const TIMEOUT_SECONDS = 120;
/** As a shell counts SIGINT. */
const INTERRUPTED = 130;

export function setCommand(io: Terminal): Command {
  return command(
    'set',
    'Change the profile of a running cluster: no address changes, connections stay, nothing of the old way is left.',
    EXAMPLES,
  )
    .argument('<profile>', PROFILE_NAMES.join(', '))
    .addOption(nameOption())
    .addOption(kubeconfigOption())
    .option('--dry-run', 'say what would change, and change nothing')
    .option('--timeout <seconds>', 'how long to watch; the change goes on after it', whole, TIMEOUT_SECONDS)
    .action((name: string, options: SetOptions) => set(io, name, options));
}

async function set(io: Terminal, name: string, options: SetOptions): Promise<void> {
  const profile = profileNamed(name);
  if (options.kubeconfig === undefined) requireRoot(io);
  const { withCluster } = await import('#cli/ipam/client.ts');
  await using stack = new AsyncDisposableStack();
  const lab = options.kubeconfig === undefined ? await labFor(options.name, profile, stack) : undefined;
  await withCluster(options, (client) => change(io, client, { profile, options, ...(lab && { lab }) }));
}

function profileNamed(text: string): ProfileName {
  const found = PROFILE_NAMES.find((each) => each === text);
  if (found !== undefined) return found;
  const near = nearest(text, PROFILE_NAMES);
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  throw new PolderError('usage', {
    what: `There is no profile "${text}"; there are ${PROFILE_NAMES.join(', ')}.${hint}`,
  });
}

/** The lab, held against other commands. */
async function labFor(name: string, profile: ProfileName, stack: AsyncDisposableStack): Promise<LabSpec> {
  const [{ lockLab }, { requireLab }] = await Promise.all([import('#lab/lock.ts'), import('#lab/state.ts')]);
  stack.use(await lockLab(name));
  return { ...requireLab(name), profile };
}

interface Wish {
  readonly profile: ProfileName;
  readonly options: SetOptions;
  /** As it is to be. */
  readonly lab?: LabSpec;
}

async function change(io: Terminal, client: ApiClient, { profile, options, lab }: Wish): Promise<void> {
  const { readNodes, readSettings, writeChange } = await import('#cli/profile/cluster.ts');
  const settings = await readSettings(client, io.signal);
  const view = settings.viewOf(await readNodes(client, io.signal));
  const wanted = changeTo(PROFILES[profile], view);
  await check(view, wanted, lab);
  io.out(changeText(view, wanted));
  if (options.dryRun === true) return;
  const step = progress(io);
  await step('writing the settings', async () => {
    await writeChange(client, wanted);
    if (lab !== undefined) await remember(lab);
  });
  try {
    await step('waiting for the nodes', (say) => follow(io, client, options.timeout, say));
  } catch (error) {
    if (!io.signal.aborted) throw error;
    io.err('The change goes on without this command; `polder profile show` tells how far it is.\n');
    io.exitWith(INTERRUPTED);
  }
}

/** All that can stand in the way, before anything is changed. */
async function check(view: ClusterView, { from, to }: ProfileChange, lab: LabSpec | undefined): Promise<void> {
  const why = whyApart(from, to);
  if (why !== undefined) throw new PolderError('profile-apart', { why });
  const silent = progressOf(view)
    .filter(({ state }) => state === 'silent')
    .map(({ node }) => node);
  if (silent.length > 0) throw new PolderError('profile-silent', { nodes: silent.join(', ') });
  if (lab === undefined) return;
  const [{ checkSpec }, { checkKernel }] = await Promise.all([import('#lab/check.ts'), import('#lab/requirements.ts')]);
  checkSpec(lab);
  checkKernel(lab.profile);
}

async function remember(lab: LabSpec): Promise<void> {
  const [{ labPaths }, { saveLab }] = await Promise.all([import('#lab/names.ts'), import('#lab/state.ts')]);
  saveLab(labPaths(lab.name), lab);
}

async function follow(io: Terminal, client: ApiClient, seconds: number, say: (text: string) => void): Promise<void> {
  const [{ readSettings }, { whenChanged }] = await Promise.all([
    import('#cli/profile/cluster.ts'),
    import('#cli/profile/follow.ts'),
  ]);
  const settings = await readSettings(client, io.signal);
  const signals = { stop: io.signal, deadline: AbortSignal.timeout(seconds * 1000) };
  await whenChanged(client, settings, signals, (nodes) => {
    const done = nodes.filter(({ state }) => state === 'done').length;
    const late = nodes
      .filter(({ state }) => state !== 'done')
      .map(({ node, sends }) => `${node} (${sends.join(', ')})`);
    say(`${done} of ${nodes.length}${late.length > 0 && late.length <= 3 ? `, not yet ${late.join(', ')}` : ''}`);
  });
}

/** What is written, and what becomes of the nodes. */
export function changeText(view: ClusterView, wanted: ProfileChange): string {
  const { from, to, pools, left } = wanted;
  const [before, then] = [view, after(view, wanted)].map(progressOf);
  const lines = [
    ...pools.map((pool) => `  ippool ${pool.name}: ${modes(pool.from)} -> ${modes(pool.to)}`),
    ...left.map((name) => `  ippool ${name} has modes of its own and stays as it is`),
    from.name === to.name ? `  profile ${to.name} as before` : `  profile ${from.name} -> ${to.name}`,
    ...(then ?? []).map(({ node, goal }, i) => `  ${node}: ${before?.[i]?.accepts.join(', ')} -> ${goal.join(', ')}`),
  ];
  return `${lines.join('\n')}\n`;
}

function modes({ ipip, vxlan }: ProfileChange['pools'][number]['from']): string {
  return `ipipMode ${MODE_WORDS[ipip]}, vxlanMode ${MODE_WORDS[vxlan]}`;
}
