/** Pieces that several descriptors share. */

import type { Effect, Tamper } from '#cni/conformance/descriptor.ts';
import type { JsonObject } from '#wire/cni/json.ts';

export const SUBNET = '10.22.0.0/24';

/** `host-local` whose state stands in the run's own folder. */
export const HOST_LOCAL: JsonObject = {
  type: 'host-local',
  dataDir: '{dir}/ipam',
  ranges: [[{ subnet: SUBNET }]],
  routes: [{ dst: '0.0.0.0/0' }],
};

/** The pod's interface is up, of this kind, and has the address of the result. */
export function podLink(kind: string): Effect {
  return {
    say: `in the pod {ifname}, ${kind}, up, with {ip}`,
    in: 'pod',
    tool: 'addr',
    has: { ifname: '{ifname}', flags: ['UP'], linkinfo: { info_kind: kind }, addr_info: [{ local: '{ip}' }] },
  };
}

export const DEFAULT_ROUTE: Effect = {
  say: 'in the pod a default route',
  in: 'pod',
  tool: 'route',
  has: { dst: 'default' },
};

/** What CHECK of whatever made an interface must notice. */
export const LINK_TAMPERS: readonly Tamper[] = [
  { say: 'address-gone', in: 'pod', run: ['ip', 'addr', 'flush', 'dev', '{ifname}', 'scope', 'global'] },
  { say: 'route-gone', in: 'pod', run: ['ip', 'route', 'del', 'default'] },
  { say: 'mac-changed', in: 'pod', run: ['ip', 'link', 'set', '{ifname}', 'address', '02:00:00:00:00:99'] },
  { say: 'interface-gone', in: 'pod', run: ['ip', 'link', 'del', '{ifname}'] },
];
