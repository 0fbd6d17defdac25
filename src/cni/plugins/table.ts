/** All plugins, by the name of their executable. */

import type { Plugin } from '#cni/plugin.ts';
import { bandwidth } from '#cni/plugins/bandwidth/bandwidth.ts';
import { bridge } from '#cni/plugins/bridge/bridge.ts';
import { dhcp } from '#cni/plugins/dhcp/dhcp.ts';
import { dummy } from '#cni/plugins/dummy/dummy.ts';
import { firewall } from '#cni/plugins/firewall/firewall.ts';
import { flannel } from '#cni/plugins/flannel/flannel.ts';
import { hostDevice } from '#cni/plugins/host-device/host-device.ts';
import { hostLocal } from '#cni/plugins/host-local/host-local.ts';
import { ipvlan } from '#cni/plugins/ipvlan/ipvlan.ts';
import { loopback } from '#cni/plugins/loopback/loopback.ts';
import { macvlan } from '#cni/plugins/macvlan/macvlan.ts';
import { polder } from '#cni/plugins/polder/polder.ts';
import { polderMulti } from '#cni/plugins/polder-multi/polder-multi.ts';
import { portmap } from '#cni/plugins/portmap/portmap.ts';
import { ptp } from '#cni/plugins/ptp/ptp.ts';
import { sbr } from '#cni/plugins/sbr/sbr.ts';
import { staticIpam } from '#cni/plugins/static/static.ts';
import { tap } from '#cni/plugins/tap/tap.ts';
import { tuning } from '#cni/plugins/tuning/tuning.ts';
import { vlan } from '#cni/plugins/vlan/vlan.ts';
import { vrf } from '#cni/plugins/vrf/vrf.ts';

const ALL: readonly Plugin[] = [
  polder,
  bridge,
  ptp,
  loopback,
  hostLocal,
  staticIpam,
  dhcp,
  macvlan,
  ipvlan,
  vlan,
  dummy,
  tap,
  hostDevice,
  portmap,
  tuning,
  sbr,
  vrf,
  bandwidth,
  firewall,
  flannel,
  polderMulti,
];

export const PLUGINS: ReadonlyMap<string, Plugin> = new Map(ALL.map((plugin) => [plugin.type, plugin]));
