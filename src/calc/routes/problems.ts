/** The sentences of everything that a calculator may find wrong, as a table. */

import type { Problem, ProblemCode } from '#calc/state.ts';

interface ProblemRow {
  /** One sentence; `{name}` is filled from the details. */
  readonly sentence: string;
  readonly todo: string;
}

export const PROBLEMS = {
  'cluster-unknown': {
    sentence: 'The API server has not answered yet, and there is no snapshot of an earlier run.',
    todo: 'See that the API server runs and that the kubeconfig leads to it.',
  },
  'no-underlay': {
    sentence: 'There is no interface {ifname} to reach the other nodes by.',
    todo: 'Start the agent with the right --underlay, or the kubelet with the right --node-ip.',
  },
  'node-unknown': {
    sentence: 'The cluster has no Node named {node}.',
    todo: 'Wait until the kubelet has registered it, or start the agent with the right --node.',
  },
  'no-pod-cidr': {
    sentence: 'Node {node} has no podCIDR yet.',
    todo: 'The controller gives it one; see that `polder controller` runs and that the cluster CIDR has room.',
  },
  'pod-cidr-outside-cluster': {
    sentence: 'Network {cidr} of node {node} lies in no pool of the cluster ({cluster}).',
    todo: 'Correct clusterCIDR in the ConfigMap kube-system/polder-config or the IPPools, or make the node anew.',
  },
  'pod-cidr-overlap': {
    sentence: 'Network {cidr} of node {node} overlaps {other} of node {holder}; {node} gets no route.',
    todo: 'Delete one of the two Node objects and let it register again.',
  },
  'node-addr-taken': {
    sentence: 'Node {node} has the address {addr}, which is that of node {holder}; {node} gets no route.',
    todo: 'Give one of them another address (kubelet --node-ip), and see that no two machines share one.',
  },
  'vtep-mac-taken': {
    sentence:
      'Node {node} has the hardware address {mac} for its VXLAN device, which is that of node {holder}; {node} gets no route.',
    todo: 'Remove the annotation polder.dev/vtep-mac from one of them, or set it to another address.',
  },
  'no-node-addr': {
    sentence:
      'Node {node} ({addr}) has no IPv{family} address, so its network {cidr} cannot be reached through {tunnel}.',
    todo: 'Give the node an address of that family (kubelet --node-ip), or choose a profile with another tunnel.',
  },
  'no-ipip': {
    sentence: 'The kernel of node {node} has no interfaces of kind ipip; an eBPF program encapsulates in their place.',
    todo: 'Nothing has to be done; a kernel with CONFIG_NET_IPIP is used as soon as it runs.',
  },
  'no-wireguard': {
    sentence: 'The kernel of node {node} has no WireGuard, so nothing between it and other nodes is encrypted.',
    todo: 'Run a kernel with CONFIG_WIREGUARD (Linux 5.6 or newer), or choose a profile without encryption.',
  },
  'wireguard-key-missing': {
    sentence: 'Traffic to IPv{family} pods of node {node} {fate}: the node has not said its WireGuard key.',
    todo: 'See that its agent runs and that its kernel has WireGuard (`polder wireguard status`).',
  },
  'wireguard-key-taken': {
    sentence: 'Traffic to IPv{family} pods of node {node} {fate}: its WireGuard key is that of node {holder}.',
    todo: 'Give one of them another key: `polder wireguard rotate` on the node.',
  },
  'other-subnet': {
    sentence:
      'Node {node} ({addr}) is not on the subnet of {ifname} ({subnets}), so routes alone cannot reach its pods.',
    todo: 'Choose a profile that encapsulates (flannel-vxlan, vxlan), or put the nodes on one subnet.',
  },
  'family-mismatch': {
    sentence: 'Network {cidr} of node {node} has another family than its address {addr}, so routes cannot lead there.',
    todo: 'Give the node an address of that family, or choose a profile that encapsulates.',
  },
  'node-addr-not-local': {
    sentence: 'InternalIP {addr} of node {node} is not an address of {ifname} ({subnets}).',
    todo: 'Start the kubelet with the right --node-ip, or the agent with the right --underlay.',
  },
  'mtu-too-large': {
    sentence: 'The MTU {mtu} that is set for {what} is more than the {max} that {ifname} can carry.',
    todo: 'Lower mtu in the ConfigMap kube-system/polder-config, or ipipMTU or vxlanMTU in the FelixConfiguration; 0 has it found.',
  },
  'mtu-too-small': {
    sentence: 'The MTU {mtu} for pods is below the {min} that IP asks for.',
    todo: 'Raise the MTU of {ifname}, or mtu in the ConfigMap kube-system/polder-config.',
  },
  'bgp-as': {
    sentence: 'AS number {as} of node {node} is out of range, so what it says by BGP stays as it was.',
    todo: 'Set asNumber of the BGPConfiguration, or the annotation projectcalico.org/ASNumber, to 1 to {max}.',
  },
  'bgp-peer-as': {
    sentence: 'BGPPeer {peer} has AS number {as}, which is out of range; node {node} does not speak with it.',
    todo: 'Set asNumber (or localASNumber) of the BGPPeer to 1 to {max}.',
  },
  'bgp-peer-self': {
    sentence: 'BGPPeer {peer} has the address {addr} of node {node} itself; the node does not speak with itself.',
    todo: 'Correct peerIP of the BGPPeer, or choose other nodes for it with nodeSelector.',
  },
  'bgp-peer-nobody': {
    sentence: 'BGPPeer {peer} says neither peerIP nor peerSelector, so node {node} does not know whom to speak with.',
    todo: 'Set peerIP with asNumber, or peerSelector.',
  },
  'bgp-peer-family': {
    sentence: 'BGPPeer {peer} ({addr}) has another family than the addresses of node {node} ({own}).',
    todo: 'Give the node an address of that family, or the BGPPeer a peerIP of the node’s.',
  },
  'bgp-selector': {
    sentence: 'BGPPeer {peer} has a selector that cannot be read ({selector}); node {node} leaves it out.',
    todo: 'Write the selector as Calico documents it, for example rack == "a".',
  },
  'bgp-filter': {
    sentence: 'BGPPeer {peer} names the BGPFilter {filter}, which is not there; node {node} filters nothing by it.',
    todo: 'Make the BGPFilter, or take its name from the BGPPeer.',
  },
  'bgp-password': {
    sentence: 'Node {node} does not speak with {peer}: Secret kube-system/{secret} with key {key} is not there.',
    todo: 'Make the Secret in namespace kube-system, or take the password from the BGPPeer.',
  },
  'bgp-password-form': {
    sentence: 'Node {node} does not speak with {peer}: the password in Secret kube-system/{secret}, key {key}, {why}.',
    todo: 'Choose a password of 1 to 80 bytes in one line, without quotation marks, on both sides.',
  },
  'bgp-signature': {
    sentence: 'Node {node} and {peer} ({addr}) do not come together: {what}.',
    todo: 'Give both sides the same password (BGPPeer or nodeMeshPassword, in a Secret of kube-system), or neither one.',
  },
} as const satisfies Record<ProblemCode, ProblemRow>;

/** A problem with its sentences filled in. */
export function problem(
  code: ProblemCode,
  node: string,
  details: Readonly<Record<string, string | number>> = {},
): Problem {
  const fill = (text: string): string =>
    text.replace(/\{(\w+)\}/g, (_, key: string) => String({ node, ...details }[key]));
  return { code, node, sentence: fill(PROBLEMS[code].sentence), todo: fill(PROBLEMS[code].todo) };
}
