/** A throw-away node for kernel tests: a namespace with an underlay, the veths of pods 5 to 7 and foreign routes. */

import { openNetlink } from '#kernel/netlink/netlink.ts';
import { openNft } from '#kernel/nft/nft.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { keyPairOf } from '#kernel/wireguard/keys.ts';
import { openWireguard } from '#kernel/wireguard/wireguard.ts';
import { parseAddr } from '#net/addr.ts';
import { parseIfAddr, parsePrefix } from '#net/prefix.ts';
import { type Kernel, kernelSysctls } from '#sync/kernel.ts';
import { IFA_F_NODAD, type NetlinkOp, PROTO_STATIC, type Route, TABLE_MAIN } from '#wire/netlink/values.ts';

/** Pairs of keys of node1 to node3 in `#calc/testing/clusters.ts`. */
export const KEY_PAIRS = [1, 2, 3].map((n) => keyPairOf(new Uint8Array(32).fill(n)));

export interface ScratchNode extends Disposable {
  readonly kernel: Kernel;
  readonly netns: number;
}

/** Routes that are somebody else's and must be there at the end as at the beginning. */
export const FOREIGN: readonly Route[] = ['0.0.0.0/0', '172.16.0.0/12'].map((to) => ({
  to: parsePrefix(to),
  type: 'unicast',
  table: TABLE_MAIN,
  protocol: PROTO_STATIC,
  scope: 'global',
  hops: [{ via: parseAddr('192.168.1.1'), link: 'eth0' }],
}));

export function scratchNode(): ScratchNode {
  const netns = scratchNetns();
  const netlink = openNetlink(netns.fd);
  const nft = openNft(netns.fd);
  const wireguard = openWireguard((key) => KEY_PAIRS.find(({ publicKey }) => publicKey === key)?.privateKey, netns.fd);
  const kernel = { netlink, nft, sysctl: kernelSysctls(netns.fd), wireguard };
  const failures = netlink.run([...FURNITURE, ...FOREIGN.map((route): NetlinkOp => ({ op: 'route.add', route }))]);
  if (failures.length > 0) throw new Error(`Cannot furnish the scratch node: ${JSON.stringify(failures)}`);
  return {
    kernel,
    netns: netns.fd,
    [Symbol.dispose]: () => {
      netlink.close();
      nft.close();
      wireguard[Symbol.dispose]();
      netns.close();
    },
  };
}

const FURNITURE: readonly NetlinkOp[] = [
  { op: 'link.set', name: 'lo', change: { up: true } },
  ...['eth0', 'cali5', 'cali6', 'cali7'].flatMap(veth),
  ...['192.168.1.101/24', 'fd00:192:168:1::101/64'].map((address): NetlinkOp => {
    return {
      op: 'addr.add',
      address: { link: 'eth0', address: parseIfAddr(address), scope: 'global', flags: IFA_F_NODAD },
    };
  }),
];

function veth(name: string): NetlinkOp[] {
  const peer = { name: `p-${name}` };
  return [
    { op: 'link.add', link: { name, info: { kind: 'veth' }, up: true, peer } },
    { op: 'link.set', name: peer.name, change: { up: true } },
  ];
}
