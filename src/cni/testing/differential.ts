/**
 * One configuration through Debian's reference plugin and through ours, each in a node of its own (a throw-away
 * namespace), and both nodes as `ip -j` reads them, without what is different by nature.
 */

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
    addresses: sorted(addresses),
    routes: sorted(routes.filter((route) => !String(route.dst).startsWith('ff00')).map(named)),
  };
}

const LINK_KEYS = ['ifname', 'flags', 'mtu', 'master', 'operstate', 'link_type', 'promiscuity', 'linkinfo'] as const;

function linkOf(link: Record<string, unknown>): object {
  const kept = Object.fromEntries(LINK_KEYS.map((key) => [key, link[key]]).filter(([, value]) => value !== undefined));
  return named({ ...kept, linkinfo: infoOf(link.linkinfo) });
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
    data: of(data, ['mode', 'vlan_filtering', 'id']),
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
