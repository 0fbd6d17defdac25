/** Which of the kernel's notifications are worth a pass. */

import type { NetlinkEvent } from '#kernel/netlink/handle.ts';
import { BESIDE_METRIC, type Wanted } from '#plan/objects.ts';
import { ownsLink } from '#sync/drivers/links.ts';
import { ownsRoute } from '#sync/drivers/routes.ts';
import { ownsRule } from '#sync/drivers/rules.ts';
import { PROTO_BIRD, type Route } from '#wire/netlink/values.ts';

/**
 * True if the event may have parted the kernel from what is wanted: something of ours went or changed, or the
 * underlay did. What comes (pods' devices and routes above all) is no reason, except where a wanted device's name is.
 */
export function concerns(event: NetlinkEvent, wanted: Wanted, underlay: string): boolean {
  const own = (name: string): boolean => wanted.links.some((link) => link.name === name);
  switch (event.event) {
    case 'link':
      return event.link.name === underlay || own(event.link.name) || ownsLink(event.link);
    case 'linkGone':
      return event.name === underlay || own(event.name);
    case 'address':
      return event.address.link === underlay || (event.gone && own(event.address.link));
    case 'route':
      return (event.gone && ownsRoute(event.route)) || takesOver(event.route, wanted);
    case 'neighbour':
      return event.gone && own(event.neighbour.link);
    case 'rule':
      return event.gone && ownsRule(event.rule);
    case 'overrun':
      return true;
  }
}

/** BIRD's route to a network to which ours stands beside it: one of the two has its time. */
function takesOver({ protocol, to }: Route, { routes }: Wanted): boolean {
  return protocol === PROTO_BIRD && routes.some((route) => route.to === to && route.metric === BESIDE_METRIC);
}
