/**
 * A node for tests of plugins that come later in a chain: this process, moved into a throw-away network namespace,
 * answers as the agent would, without socket and shim. The pod's interface is a veth made here, in the way that the
 * reference `bridge` (or a routed plugin) would make it; its result is given as prevResult.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { KeyedLock } from '#cni/keyed-lock.ts';
import type { Plugin, PluginHost } from '#cni/plugin.ts';
import { NODE_CIDRS } from '#cni/pools/book.ts';
import { Callers } from '#cni/server/caller.ts';
import { dispatch } from '#cni/server/dispatch.ts';
import { moveAway, pathOf, type ShimAnswer } from '#cni/testing/bed.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

export interface ChainBed {
  /** Asks a plugin as a runtime would. */
  call(command: string, plugin: Plugin, conf: object, env?: Record<string, string>): Promise<ShimAnswer>;
  /** The same, and it must succeed. */
  ok(command: string, plugin: Plugin, conf: object, env?: Record<string, string>): Promise<Record<string, unknown>>;
}

/** A pod with `eth0` on a bridge of the node. */
export interface TestPod {
  readonly netns: Netns;
  readonly containerId: string;
  readonly addr: string;
  /** CNI_* of calls for it. */
  readonly env: Record<string, string>;
  /** What the plugins before would have said. */
  readonly prevResult: Record<string, unknown>;
  /** Interface of the node. */
  readonly hostIfname: string;
}

/** A link-local address under test for a second cannot ask for neighbours. */
const NO_DAD = 'sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0';

const quiet = { info() {}, warn() {}, error() {} };

export function chainBed(t: TestContext): ChainBed {
  moveAway();
  sh(NO_DAD);
  const callers = new Callers();
  const locks = new KeyedLock();
  t.after(() => {
    callers[Symbol.dispose]();
    emptyNode();
  });
  const call: ChainBed['call'] = async (command, plugin, conf, env = {}) => {
    const host: PluginHost = {
      plugin: async (type) => (type === plugin.type ? plugin : undefined),
      log: quiet,
      nodeNetwork: () => undefined,
      addresses: NODE_CIDRS,
      get store(): never {
        return assert.fail('plugins of a chain have no endpoints');
      },
    };
    const answer = await dispatch(
      {
        argv0: `/opt/cni/bin/${plugin.type}`,
        env: { CNI_COMMAND: command, ...env },
        stdin: JSON.stringify(withVerb(conf, command)),
      },
      { locks, host, withCaller: (_, use) => callers.of(process, false, use), abandoned: () => false },
    );
    const json: Record<string, unknown> | undefined = answer.stdout === '' ? undefined : JSON.parse(answer.stdout);
    return { ...answer, json };
  };
  return {
    call,
    async ok(command, plugin, conf, env) {
      const answer = await call(command, plugin, conf, env);
      assert.equal(answer.exit, 0, answer.stdout);
      return answer.json ?? {};
    },
  };
}

/** STATUS and GC came with 1.1.0, and GC is told what stays. */
function withVerb(conf: object, command: string): object {
  if (command === 'STATUS') return { ...conf, cniVersion: '1.1.0' };
  return command === 'GC' ? { 'cni.dev/valid-attachments': [], ...conf, cniVersion: '1.1.0' } : conf;
}

/** The node's namespace is shared by the tests of one file: each leaves it empty. */
function emptyNode(): void {
  using netlink = openNetlink();
  const names = netlink.links().filter((link) => !link.loopback && link.info.kind !== 'other');
  netlink.run(names.map(({ name }) => ({ op: 'link.del', name })));
  spawnSync('nft', ['flush', 'ruleset']);
}

/** Runs a command here or in a namespace, which must succeed, and gives what it printed. */
export function sh(command: string, netns?: Netns): string {
  const run = () => spawnSync('sh', ['-c', command], { encoding: 'utf8' });
  const { status, stdout, stderr } = netns ? inNetns(netns, run) : run();
  assert.equal(status, 0, `${command}\n${stderr}`);
  return stdout.trim();
}

/** The node's bridge cni0, 10.9.0.1/24 and fd09::1/64, on which pods are. */
export function makeBridge(): void {
  sh(
    'ip link add cni0 type bridge && ip addr add 10.9.0.1/24 dev cni0 && ip addr add fd09::1/64 dev cni0 nodad && ip link set cni0 up',
  );
  sh('sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1');
}

/** Another machine beside the node: 192.168.77.2, the node being 192.168.77.1 there. */
export function makeNeighbour(t: TestContext): Netns {
  const netns = scratchNetns();
  t.after(() => netns.close());
  sh(NO_DAD, netns);
  sh(`ip link add up0 type veth peer name eth0 netns /proc/${process.pid}/fd/${netns.fd}`);
  sh('ip addr add 192.168.77.1/24 dev up0 && ip addr add fd77::1/64 dev up0 nodad && ip link set up0 up');
  sh('ip addr add 192.168.77.2/24 dev eth0 && ip addr add fd77::2/64 dev eth0 nodad && ip link set eth0 up', netns);
  return netns;
}

/** Another bridge of the node, cni1 with 10.8.0.1/24, and a pod 10.8.0.2 on it that runs no plugin. */
export function makeOtherBridge(t: TestContext): Netns {
  const netns = scratchNetns();
  t.after(() => netns.close());
  sh('ip link add cni1 type bridge && ip addr add 10.8.0.1/24 dev cni1 && ip link set cni1 up');
  sh(`ip link add vethother type veth peer name eth0 netns /proc/${process.pid}/fd/${netns.fd}`);
  sh('ip link set vethother master cni1 up');
  sh('ip addr add 10.8.0.2/24 dev eth0 && ip link set eth0 up && ip route add default via 10.8.0.1', netns);
  return netns;
}

/** A pod on the bridge with the number as the last part of its addresses. */
export function makePod(t: TestContext, number: number): TestPod {
  const netns = scratchNetns();
  t.after(() => netns.close());
  sh(NO_DAD, netns);
  const hostIfname = `vethp${number}`;
  sh(`ip link add ${hostIfname} type veth peer name eth0 netns /proc/${process.pid}/fd/${netns.fd}`);
  sh(`ip link set ${hostIfname} master cni0 up && bridge link set dev ${hostIfname} hairpin on`);
  sh(
    `ip link set lo up && ip addr add 10.9.0.${number}/24 dev eth0 && ip addr add fd09::${number}/64 dev eth0 nodad`,
    netns,
  );
  sh('ip link set eth0 up && ip route add default via 10.9.0.1 && ip -6 route add default via fd09::1', netns);
  const containerId = `container-${number}`;
  return {
    netns,
    containerId,
    hostIfname,
    addr: `10.9.0.${number}`,
    env: { CNI_CONTAINERID: containerId, CNI_NETNS: pathOf(netns), CNI_IFNAME: 'eth0' },
    prevResult: {
      cniVersion: '1.0.0',
      interfaces: [
        { name: 'cni0', mac: macOf('cni0') },
        { name: hostIfname, mac: macOf(hostIfname) },
        {
          name: 'eth0',
          mac: macOf('eth0', netns),
          sandbox: pathOf(netns),
        },
      ],
      ips: [
        { address: `10.9.0.${number}/24`, gateway: '10.9.0.1', interface: 2 },
        { address: `fd09::${number}/64`, gateway: 'fd09::1', interface: 2 },
      ],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
      dns: { nameservers: ['10.9.0.53'] },
    },
  };
}

export function macOf(ifname: string, netns?: Netns): string {
  using netlink = openNetlink(netns?.fd);
  return netlink.link(ifname)?.mac ?? '';
}
