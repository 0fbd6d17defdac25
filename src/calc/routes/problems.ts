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
    sentence: 'podCIDR {cidr} of node {node} does not lie in the cluster CIDR {cluster}.',
    todo: 'Correct clusterCIDR in the ConfigMap kube-system/polder-config, or make the node anew.',
  },
  'pod-cidr-overlap': {
    sentence: 'podCIDR {cidr} of node {node} overlaps {other} of node {holder}; {node} gets no route.',
    todo: 'Delete one of the two Node objects and let it register again.',
  },
  'other-subnet': {
    sentence: 'Node {node} ({addr}) is not on the subnet of {ifname} ({subnets}), so host-gw cannot reach its pods.',
    todo: 'Choose a profile that encapsulates (flannel-vxlan, vxlan), or put the nodes on one subnet.',
  },
  'family-mismatch': {
    sentence: 'podCIDR {cidr} of node {node} has another family than its address {addr}, so host-gw cannot reach it.',
    todo: 'Give the node an address of that family, or choose a profile that encapsulates.',
  },
  'node-addr-not-local': {
    sentence: 'InternalIP {addr} of node {node} is not an address of {ifname} ({subnets}).',
    todo: 'Start the kubelet with the right --node-ip, or the agent with the right --underlay.',
  },
  'mtu-too-large': {
    sentence: 'The MTU {mtu} that is set for pods is more than the {max} that {ifname} can carry.',
    todo: 'Lower mtu in the ConfigMap kube-system/polder-config, or set it to 0 to have it found.',
  },
  'mtu-too-small': {
    sentence: 'The MTU {mtu} for pods is below the {min} that IP asks for.',
    todo: 'Raise the MTU of {ifname}, or mtu in the ConfigMap kube-system/polder-config.',
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
