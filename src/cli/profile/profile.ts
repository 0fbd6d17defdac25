/** `polder profile list|show|set` */

import type { Command } from 'commander';
import { type NodeProgress, whyApart } from '#calc/profiles/change.ts';
import { command, nameOption } from '#cli/command.ts';
import { type ClusterOptions, kubeconfigOption } from '#cli/ipam/options.ts';
import { type Format, outputOption, print } from '#cli/output.ts';
import { setCommand } from '#cli/profile/set.ts';
import { table } from '#cli/table.ts';
import type { Terminal } from '#cli/terminal.ts';
import { PROFILE_NAMES, PROFILES, type Profile } from '#spec/cluster.ts';

interface Options extends ClusterOptions {
  readonly output: Format;
}

const LIST = { line: 'polder profile list', does: 'which there are, and which the running cluster can change to' };
const SHOW = { line: 'polder profile show', does: 'how packets go now, node by node' };
const EXAMPLES = [
  LIST,
  SHOW,
  { line: 'polder profile set calico-ipip', does: 'change the running cluster; pods and connections stay' },
];

export function profileCommand(io: Terminal): Command {
  const list = command('list', 'List the profiles, and those that the running cluster can change to.', [LIST])
    .addOption(nameOption())
    .addOption(kubeconfigOption())
    .addOption(outputOption())
    .action((options: Options) => listAll(io, options));
  const show = command('show', 'Show the profile of a running cluster, and by which ways its nodes go.', [SHOW])
    .addOption(nameOption())
    .addOption(kubeconfigOption())
    .addOption(outputOption())
    .action((options: Options) => showNow(io, options));
  return command('profile', 'How packets get from node to node, and changing that on a running cluster.', EXAMPLES)
    .addCommand(list)
    .addCommand(show)
    .addCommand(setCommand(io));
}

interface Row {
  readonly name: string;
  readonly current: boolean;
  readonly like: string;
  /** Why the running cluster cannot change to it; absent: it can. */
  readonly why?: string;
}

async function listAll(io: Terminal, options: Options): Promise<void> {
  const { profile } = await look(io, options);
  const rows = PROFILE_NAMES.map((name): Row => {
    const why = whyApart(profile, PROFILES[name]);
    return { name, current: name === profile.name, like: PROFILES[name].like, ...(why === undefined ? {} : { why }) };
  });
  await print(io, options.output, rows, (all) =>
    table(
      ['', 'PROFILE', 'LIKE', 'CHANGE TO IT'],
      all.map(({ name, current, like, why }) => [current ? '*' : '', name, like, current ? '-' : (why ?? 'yes')]),
    ),
  );
}

interface Shown {
  readonly profile: string;
  readonly pools: readonly {
    readonly name: string;
    readonly cidr: string;
    readonly ipip: string;
    readonly vxlan: string;
  }[];
  readonly nodes: readonly NodeProgress[];
}

async function showNow(io: Terminal, options: Options): Promise<void> {
  const { profile, pools, progress } = await look(io, options);
  const shown: Shown = {
    profile: profile.name,
    pools: pools.map(({ name, cidr, ipip, vxlan }) => ({ name, cidr, ipip, vxlan })),
    nodes: progress,
  };
  await print(io, options.output, shown, shownText);
}

export function shownText({ profile, pools, nodes }: Shown): string {
  const pooled = pools.map(({ name, cidr, ipip, vxlan }) => [name, cidr, ipip, vxlan]);
  return `Profile ${profile}

${table(['POOL', 'NETWORK', 'IPIP', 'VXLAN'], pooled)}
${progressTable(nodes)}`;
}

export function progressTable(nodes: readonly NodeProgress[]): string {
  const words = (kinds: readonly string[]) => kinds.join(',') || '-';
  return table(
    ['NODE', 'WANTED', 'TAKES', 'SENDS', 'STATE'],
    nodes.map(({ node, goal, accepts, sends, state }) => [node, words(goal), words(accepts), words(sends), state]),
  );
}

async function look(io: Terminal, options: ClusterOptions) {
  const { withCluster } = await import('#cli/ipam/client.ts');
  const { readNodes, readSettings } = await import('#cli/profile/cluster.ts');
  const { progressOf } = await import('#calc/profiles/change.ts');
  return withCluster(options, async (client) => {
    const settings = await readSettings(client, io.signal);
    const view = settings.viewOf(await readNodes(client, io.signal));
    const profile: Profile = view.config.profile;
    return { profile, pools: view.pools, progress: progressOf(view) };
  });
}
