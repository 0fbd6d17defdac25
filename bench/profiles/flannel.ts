/**
 * Flannel's VXLAN layout, built by hand with iproute2 and nft as its own documentation draws it: `cni0`, `flannel.1` (VNI 1,
 * UDP 8472, no learning), static neighbours and forwarding entries, masquerade of what leaves the cluster. Nothing of Polder's
 * programs it: it is the peer that our profiles are measured beside. Its nodes stand at a switch, as a lab's do.
 */

import { execFileSync } from 'node:child_process';
import { type Place, switchedPair } from '#bench/path/topology.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { parseAddr } from '#net/addr.ts';

export interface Layout extends Disposable {
  readonly nodes: readonly [Place, Place];
  /** Pods of the first node. */
  readonly near: readonly [Place, Place];
  /** A pod of the second node. */
  readonly far: Place;
}

const MTU = 1450;
const NAT = `table ip flannel {
  chain postrouting {
    type nat hook postrouting priority srcnat
    ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 masquerade
  }
}`;

/** @throws Error with what the failing command said */
export function flannelByHand(): Layout {
  const stack = new DisposableStack();
  try {
    const nodes = switchedPair(stack);
    layNode(nodes[0], 1, nodes[1]);
    layNode(nodes[1], 2, nodes[0]);
    const near = [layPod(stack, nodes[0], 1, 2), layPod(stack, nodes[0], 1, 3)] as const;
    const far = layPod(stack, nodes[1], 2, 2);
    return { nodes, near, far, [Symbol.dispose]: () => stack.dispose() };
  } catch (error) {
    stack.dispose();
    throw error;
  }
}

function layNode(node: Place, own: number, peer: Place): void {
  const other = 3 - own;
  run(node, [
    `ip link add flannel.1 type vxlan id 1 dev eth0 local ${node.addr} dstport 8472 nolearning`,
    `ip link set flannel.1 address ${vtep(own)} mtu ${MTU} up`,
    `ip addr add 10.244.${own}.0/32 dev flannel.1`,
    'ip link add cni0 type bridge',
    `ip link set cni0 mtu ${MTU} up`,
    `ip addr add 10.244.${own}.1/24 dev cni0`,
    `ip neigh add 10.244.${other}.0 lladdr ${vtep(other)} dev flannel.1 nud permanent`,
    `bridge fdb append ${vtep(other)} dev flannel.1 dst ${peer.addr}`,
    `ip route add 10.244.${other}.0/24 via 10.244.${other}.0 dev flannel.1 onlink`,
    'sysctl -qw net.ipv4.ip_forward=1',
  ]);
  inNetns(node.netns, () => execFileSync('nft', ['-f', '-'], { input: NAT }));
}

function layPod(stack: DisposableStack, node: Place, own: number, host: number): Place {
  const netns = stack.use(scratchNetns());
  const addr = parseAddr(`10.244.${own}.${host}`);
  const path = `/proc/${process.pid}/fd/${netns.fd}`;
  run(node, [
    `ip link add veth${host} mtu ${MTU} type veth peer name eth0 mtu ${MTU} netns ${path}`,
    `ip link set veth${host} master cni0 up`,
  ]);
  run({ netns, addr }, [
    'ip link set lo up',
    'ip link set eth0 up',
    `ip addr add ${addr}/24 dev eth0`,
    `ip route add default via 10.244.${own}.1`,
  ]);
  return { netns, addr };
}

function vtep(node: number): string {
  return `02:00:00:00:0f:0${node}`;
}

function run({ netns }: Place, lines: readonly string[]): void {
  for (const line of lines) {
    const [program = '', ...args] = line.split(' ');
    inNetns(netns, () => execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] }));
  }
}
