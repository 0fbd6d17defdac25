/** Whether an address may be taken back by hand. */

import { checkIpam, isReleasable } from '#calc/ipam/check.ts';
import { type Given, givenFor, type IpamState } from '#calc/ipam/state.ts';
import type { Addr } from '#net/addr.ts';

export type Verdict =
  | { readonly kind: 'release'; readonly given: Given }
  /** Nobody has it. */
  | { readonly kind: 'nothing' }
  /** A living pod's: no force takes it. */
  | { readonly kind: 'living'; readonly who: string }
  /** Who has it may use it: only by force. */
  | { readonly kind: 'not-leaked'; readonly who: string };

/** @param force also what is not known to be leaked */
export function verdictOf(state: IpamState, addr: Addr, force: boolean): Verdict {
  const given = givenFor(state, addr);
  const pod = livingPod(state, addr, given);
  if (pod !== undefined) return { kind: 'living', who: `pod ${pod}` };
  if (given === undefined) return { kind: 'nothing' };
  const leaked = checkIpam(state).some((finding) => finding.addr === addr && isReleasable(finding));
  return leaked || force ? { kind: 'release', given } : { kind: 'not-leaked', who: whose(given) };
}

/** One whose status says the address, or one that is starting and that it is given for. */
function livingPod({ pods }: IpamState, addr: Addr, given: Given | undefined): string | undefined {
  return pods.find(({ ended, addrs, name }) => {
    return !ended && (addrs.includes(addr) || (addrs.length === 0 && name === given?.pod));
  })?.name;
}

function whose({ pod, use, allocation: { node, handle } }: Given): string {
  const at = node === '' ? '' : ` of node ${node}`;
  const what = { stock: 'the stock', tunnel: 'a tunnel device', pod: `pod ${pod}`, other: handle || 'somebody' };
  return `${what[use]}${at}`;
}
