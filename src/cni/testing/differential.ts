/**
 * One configuration through Debian's reference plugin and through ours, each in a node of its own (a throw-away
 * namespace), and both nodes as `ip -j` reads them, without what is different by nature.
 */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { answerOf, type Bed, noBed, pathOf, runShim, type ShimAnswer } from '#cni/testing/bed.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

export const REFERENCE = '/usr/lib/cni';

/** Why a comparison with these reference plugins cannot run here, or false. */
export function noReference(...plugins: readonly string[]): string | false {
  const missing = plugins.find((name) => !existsSync(join(REFERENCE, name)));
  return missing === undefined ? noBed() : `no ${join(REFERENCE, missing)}`;
}

export interface Node extends Disposable {
  readonly host: Netns;
  readonly pod: Netns;
  /** One command of the plugin that the configuration names. */
  cni(command: string, conf: object, env?: Record<string, string>): Promise<ShimAnswer>;
  /** Runs a shell command in the node, or in its pod. */
  sh(command: string, where?: 'host' | 'pod'): string;
  state(): NodeState;
}

export interface NodeState {
  readonly host: State;
  readonly pod: State;
}

export interface State {
  readonly links: readonly object[];
  /** Of the ports of bridges that filter them. */
  readonly vlans: readonly object[];
  readonly addresses: readonly object[];
  readonly routes: readonly object[];
}

export function referenceNode(): Node {
  return node((env, conf) => {
    const type = 'type' in conf ? String(conf.type) : '';
    return (host) =>
      answerOf(
        inNetns(host, () => spawn(join(REFERENCE, type), [], { env })),
        conf,
      );
  });
}

export function ourNode(bed: Bed): Node {
  return node((env, conf) => (host) => inNetns(host, () => ({ running: runShim(bed.socketPath, env, conf) })).running);
}

type Run = (env: Record<string, string>, conf: object) => (host: Netns) => Promise<ShimAnswer>;

function node(run: Run): Node {
  const host = scratchNetns();
  const pod = scratchNetns();
  const netns = { host, pod };
  const sh = (command: string, where: 'host' | 'pod' = 'host') => {
    const done = inNetns(netns[where], () => spawnSync('sh', ['-c', command], { encoding: 'utf8' }));
    if (done.status !== 0) throw new Error(`${command}: ${done.stderr}`);
    return done.stdout;
  };
  // Else the kernel's rows of an IPv6 address in the table of local ones come a second or two later, when it has found no
  // duplicate: whether they are seen would be chance.
  sh('sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0');
  sh('ip link set lo up');
  const common = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0', CNI_PATH: REFERENCE };
  return {
    host,
    pod,
    sh,
    cni: (command, conf, env = {}) => run({ ...common, CNI_COMMAND: command, ...env }, conf)(host),
    state: () => ({ host: stateOf(sh, 'host'), pod: stateOf(sh, 'pod') }),
    [Symbol.dispose]() {
      host.close();
      pod.close();
    },
  };
}

type Shell = Node['sh'];

function stateOf(sh: Shell, where: 'host' | 'pod'): State {
  const json = (command: string): Record<string, unknown>[] => JSON.parse(sh(command, where) || '[]');
  const links = json('ip -j -d link show').map(linkOf);
  const addresses = json('ip -j addr show').flatMap(addressesOf);
  const routes = [...json('ip -j -4 route show table all'), ...json('ip -j -6 route show table all')];
  return {
    links: sorted(links),
    vlans: sorted(json('bridge -j vlan show').map(named)),
    addresses: sorted(addresses),
    // Flags say whether there is a carrier at this moment.
    routes: sorted(
      routes.filter((route) => !String(route.dst).startsWith('ff00')).map(({ flags: _, ...route }) => named(route)),
    ),
  };
}

const LINK_KEYS = ['ifname', 'mtu', 'master', 'link_type', 'promiscuity', 'linkinfo'] as const;

function linkOf(link: Record<string, unknown>): object {
  const kept = Object.fromEntries(LINK_KEYS.map((key) => [key, link[key]]).filter(([, value]) => value !== undefined));
  return named({ ...kept, flags: steadyFlags(link.flags), linkinfo: infoOf(link.linkinfo) });
}

/** The carrier comes and goes a moment after what causes it. */
function steadyFlags(flags: unknown): unknown[] {
  return Array.isArray(flags) ? flags.filter((flag) => flag !== 'NO-CARRIER' && flag !== 'LOWER_UP') : [];
}

/** Timers, counters and addresses are of no interest; what the port and the kind are set to is. */
function infoOf(info: unknown): unknown {
  if (typeof info !== 'object' || info === null) return undefined;
  const kind = Reflect.get(info, 'info_kind');
  const port: unknown = Reflect.get(info, 'info_slave_data');
  const data: unknown = Reflect.get(info, 'info_data');
  const of = (value: unknown, keys: readonly string[]) =>
    typeof value === 'object' && value !== null ? keys.map((key) => [key, Reflect.get(value, key)]) : [];
  return {
    kind,
    port: of(port, ['hairpin', 'isolated', 'learning']),
    data: of(data, ['mode', 'vlan_filtering', 'id', 'table']),
  };
}

function addressesOf(link: Record<string, unknown>): object[] {
  const list = Array.isArray(link.addr_info) ? (link.addr_info as Record<string, unknown>[]) : [];
  // Link-local addresses come from random hardware addresses, and a while after the interface.
  return list
    .filter(({ scope, family }) => !(family === 'inet6' && scope === 'link'))
    .map(({ family, local, prefixlen, broadcast, scope }) =>
      named({ link: link.ifname, family, local, prefixlen, broadcast, scope }),
    );
}

/** Random names of veths as one name, paths of pods as one path. */
export function named<T>(value: T): T {
  const text = JSON.stringify(value)
    .replaceAll(/veth[0-9a-f]{8}/g, 'vethX')
    .replaceAll(/\/proc\/\d+\/fd\/\d+/g, 'POD')
    .replaceAll(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'MAC');
  return JSON.parse(text);
}

function sorted(values: readonly object[]): object[] {
  return values
    .filter((value) => !JSON.stringify(value).includes('fe80::'))
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

export interface Compared {
  readonly result: unknown;
  readonly state: NodeState;
  readonly after: NodeState;
}

export interface Case {
  /** Without `cniVersion`, `name`. */
  readonly conf: { readonly type: string; readonly [key: string]: unknown };
  /** Of the host, before ADD. */
  readonly prepare?: string;
  readonly env?: Record<string, string>;
  readonly cniVersion?: string;
  /** Why the reference's CHECK is not asked. */
  readonly theirCheck?: string;
}

/** ADD, CHECK, DEL and DEL again without anything, on a node; what was said and what the kernel had. */
export async function lifeOn(node: Node, one: Case, ours: boolean): Promise<Compared> {
  const conf = { cniVersion: one.cniVersion ?? '1.0.0', name: 'net', ...one.conf };
  if (one.prepare) node.sh(one.prepare);
  const added = await node.cni('ADD', conf, one.env);
  assert.equal(added.exit, 0, added.stdout);
  const state = node.state();
  if (ours || !one.theirCheck) await good(node.cni('CHECK', { ...conf, prevResult: added.json }, one.env));
  await good(node.cni('DEL', { ...conf, prevResult: added.json }, one.env));
  const after = node.state();
  // As container runtimes do it the second time.
  if (ours) await good(node.cni('DEL', conf, { ...one.env, CNI_NETNS: '' }));
  return { result: named(added.json), state, after };
}

async function good(answer: Promise<ShimAnswer>): Promise<void> {
  const { exit, stdout } = await answer;
  assert.equal(exit, 0, stdout);
}

/** Both lives. `ipam` gives each side a folder of its own. */
export async function bothLives(
  bed: Bed,
  conf: (dataDir: string) => Case,
): Promise<{ ours: Compared; theirs: Compared }> {
  using one = ourNode(bed);
  using other = referenceNode();
  const theirs = await lifeOn(other, conf(join(bed.dir, 'theirs')), false);
  const ours = await lifeOn(one, conf(join(bed.dir, 'ours')), true);
  return { ours, theirs };
}
