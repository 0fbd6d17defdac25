/** Notifications of rtnetlink: what changed in the kernel. */

import { readInterfaceAddress } from '#wire/netlink/address.ts';
import * as N from '#wire/netlink/constants.ts';
import { readLink } from '#wire/netlink/link.ts';
import type { IndexToName } from '#wire/netlink/names.ts';
import { readNeighbour } from '#wire/netlink/neighbour.ts';
import type { Message } from '#wire/netlink/reader.ts';
import { readRoute } from '#wire/netlink/route.ts';
import { readRule } from '#wire/netlink/rule.ts';
import type { Address, Link, Neighbour, Route, Rule } from '#wire/netlink/values.ts';

export type TableEvent =
  | { readonly event: 'link'; readonly link: Link }
  | { readonly event: 'linkGone'; readonly name: string; readonly index: number }
  | { readonly event: 'address'; readonly address: Address; readonly gone: boolean }
  | { readonly event: 'route'; readonly route: Route; readonly gone: boolean }
  | { readonly event: 'neighbour'; readonly neighbour: Neighbour; readonly gone: boolean }
  | { readonly event: 'rule'; readonly rule: Rule; readonly gone: boolean };

/** Undefined for a message that tells of nothing that has a value here. @throws SyntaxError */
export function readEvent(message: Message, names: IndexToName): TableEvent | undefined {
  switch (message.type) {
    case N.RTM_NEWLINK:
    case N.RTM_DELLINK:
      return linkEvent(message, names);
    case N.RTM_NEWADDR:
    case N.RTM_DELADDR: {
      const address = readInterfaceAddress(message, names);
      return address && { event: 'address', address, gone: message.type === N.RTM_DELADDR };
    }
    case N.RTM_NEWROUTE:
    case N.RTM_DELROUTE: {
      const route = readRoute(message, names);
      return route && { event: 'route', route, gone: message.type === N.RTM_DELROUTE };
    }
    case N.RTM_NEWNEIGH:
    case N.RTM_DELNEIGH: {
      const neighbour = readNeighbour(message, names);
      return neighbour && { event: 'neighbour', neighbour, gone: message.type === N.RTM_DELNEIGH };
    }
    case N.RTM_NEWRULE:
    case N.RTM_DELRULE: {
      const rule = readRule(message);
      return rule && { event: 'rule', rule, gone: message.type === N.RTM_DELRULE };
    }
    default:
      return undefined;
  }
}

function linkEvent(message: Message, names: IndexToName): TableEvent | undefined {
  const link = readLink(message, names);
  if (!link) return undefined;
  if (message.type === N.RTM_NEWLINK) return { event: 'link', link };
  return { event: 'linkGone', name: link.name, index: link.index };
}
