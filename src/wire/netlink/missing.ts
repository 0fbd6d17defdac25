/** What the kernel's refusals say about features that it lacks. */

import { familyOf } from '#net/addr.ts';
import { prefixFamily } from '#net/prefix.ts';
import { kindName } from '#wire/netlink/link-kinds.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

const UNSUPPORTED: ReadonlySet<string> = new Set(['EOPNOTSUPP', 'EAFNOSUPPORT', 'EPROTONOSUPPORT']);

/**
 * The feature that the kernel lacks, if that is why it refused the operation: 'interfaces of kind vxlan'.
 * `code` is errno's name.
 */
export function missingFeature(op: NetlinkOp, code: string): string | undefined {
  // The kernel says of a qdisc or classifier that it lacks what it says of a place that is not there.
  if (code === 'ENOENT') return missingTraffic(op);
  if (!UNSUPPORTED.has(code)) return undefined;
  if ('vlan' in op || filtersVlans(op)) return 'VLAN filtering of bridges';
  if (op.op === 'link.add') return `interfaces of kind ${kindName(op.link.info)}`;
  if (usesIpv6(op)) return 'IPv6';
  return op.op === 'rule.add' ? 'policy routing' : undefined;
}

function missingTraffic(op: NetlinkOp): string | undefined {
  if (op.op === 'qdisc.add' || op.op === 'qdisc.replace')
    return `qdisc ${op.qdisc.info.kind === 'other' ? op.qdisc.info.name : op.qdisc.info.kind}`;
  const added = op.op === 'filter.add' || op.op === 'filter.replace';
  if (!added || op.filter.match.kind === 'other') return undefined;
  const { match, action } = op.filter;
  return `traffic classifier ${match.kind}${action ? ` with action ${action.kind}` : ''}`;
}

function filtersVlans(op: NetlinkOp): boolean {
  if (op.op !== 'link.add' || op.link.info.kind !== 'bridge') return false;
  return op.link.info.vlanFiltering === true || op.link.info.vlanDefaultPvid !== undefined;
}

function usesIpv6(op: NetlinkOp): boolean {
  if ('address' in op) return prefixFamily(op.address.address) === 6;
  if ('route' in op) return prefixFamily(op.route.to) === 6;
  if ('neighbour' in op) return familyOf(op.neighbour.addr) === 6;
  return 'rule' in op && op.rule.family === 6;
}
