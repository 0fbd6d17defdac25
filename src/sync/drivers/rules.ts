/** Routing policy rules: ours bear our own protocol number. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import { PROTO_POLDER, type Rule } from '#wire/netlink/values.ts';

export function ownsRule({ protocol }: Rule): boolean {
  return protocol === PROTO_POLDER;
}

export function readRules(netlink: Netlink): Rule[] {
  return netlink.rules().filter(ownsRule);
}
