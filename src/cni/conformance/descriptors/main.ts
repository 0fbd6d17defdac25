/** Plugins that make an interface. */

import type { Descriptor, Variant } from '#cni/conformance/descriptor.ts';
import { BRIDGE } from '#cni/conformance/descriptors/bridge.ts';
import { DEFAULT_ROUTE, HOST_LOCAL, LINK_TAMPERS, podLink } from '#cni/conformance/descriptors/common.ts';

const FORWARD = [
  ['sysctl', '-qw', 'net.ipv4.ip_forward=1'],
  ['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1'],
];

/** The interface has the mode that the configuration says. */
function ofMode(mode: string): Variant {
  return {
    name: mode,
    conf: { mode },
    effects: [
      { say: `mode ${mode}`, in: 'pod', tool: 'addr', has: { ifname: '{ifname}', linkinfo: { info_data: { mode } } } },
    ],
  };
}

export const MAIN: readonly Descriptor[] = [
  BRIDGE,
  {
    type: 'ptp',
    kind: 'main',
    conf: { ipam: HOST_LOCAL },
    // Each of its interfaces is the way to all of its subnet.
    second: { ipam: { type: 'host-local', dataDir: '{dir}/ipam', ranges: [[{ subnet: '10.23.0.0/24' }]] } },
    ipam: 'host-local',
    needs: ['veth'],
    traffic: { pods: true, node: true },
    tampers: LINK_TAMPERS,
    effects: [
      podLink('veth'),
      DEFAULT_ROUTE,
      {
        say: 'on the node a route to the pod by its veth',
        in: 'node',
        tool: 'route',
        has: { dst: '{ip}', dev: '{hostif}' },
      },
    ],
    variants: [
      {
        name: 'mtu',
        conf: { mtu: 1400 },
        effects: [
          { say: 'MTU 1400 in the pod', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', mtu: 1400 } },
          { say: 'MTU 1400 on the node', in: 'node', tool: 'addr', has: { ifname: '{hostif}', mtu: 1400 } },
        ],
      },
    ],
  },
  {
    type: 'polder',
    kind: 'main',
    conf: {},
    needs: ['veth'],
    setup: FORWARD,
    traffic: { pods: true, node: true },
    tampers: LINK_TAMPERS,
    effects: [
      podLink('veth'),
      DEFAULT_ROUTE,
      { say: 'on the node a route to the pod', in: 'node', tool: 'route', has: { dst: '{ip}', dev: '{hostif}' } },
    ],
    variants: [
      {
        name: 'mtu',
        conf: { mtu: 1400 },
        effects: [{ say: 'MTU 1400 in the pod', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', mtu: 1400 } }],
      },
    ],
  },
  {
    type: 'macvlan',
    kind: 'main',
    conf: { master: '{uplink}', mode: 'bridge', ipam: HOST_LOCAL },
    ipam: 'host-local',
    needs: ['macvlan'],
    // A macvlan and its parent cannot talk with one another: that is its nature.
    traffic: { pods: true, node: false },
    notReady: { say: 'its master is not there', conf: { master: 'nosuch0' } },
    tampers: LINK_TAMPERS,
    effects: [podLink('macvlan'), DEFAULT_ROUTE],
    variants: [
      {
        name: 'mtu',
        conf: { mtu: 1400 },
        effects: [{ say: 'MTU 1400 in the pod', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', mtu: 1400 } }],
      },
      {
        name: 'mac',
        conf: { runtimeConfig: { mac: '02:11:22:33:44:55' } },
        effects: [
          { say: 'that MAC', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', address: '02:11:22:33:44:55' } },
        ],
      },
      ...['private', 'vepa', 'passthru'].map(ofMode),
    ],
  },
  {
    type: 'ipvlan',
    kind: 'main',
    conf: { master: '{uplink}', ipam: HOST_LOCAL },
    ipam: 'host-local',
    needs: ['ipvlan'],
    traffic: { pods: true, node: false },
    notReady: { say: 'its master is not there', conf: { master: 'nosuch0' } },
    tampers: LINK_TAMPERS.filter((tamper) => tamper.say !== 'mac-changed'),
    effects: [podLink('ipvlan'), DEFAULT_ROUTE],
    variants: [
      {
        name: 'mtu',
        conf: { mtu: 1400 },
        effects: [{ say: 'MTU 1400 in the pod', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', mtu: 1400 } }],
      },
      ...['l3', 'l3s'].map(ofMode),
    ],
  },
  {
    type: 'vlan',
    kind: 'main',
    // An interface has each VLAN once: no two pods of a node share one.
    conf: { master: '{uplink}', vlanId: '{n}', ipam: HOST_LOCAL },
    ipam: 'host-local',
    needs: ['VLAN'],
    notReady: { say: 'its master is not there', conf: { master: 'nosuch0' } },
    tampers: LINK_TAMPERS,
    effects: [
      podLink('vlan'),
      {
        say: 'with the VLAN’s number',
        in: 'pod',
        tool: 'addr',
        has: { ifname: '{ifname}', linkinfo: { info_data: { protocol: '802.1Q', id: '{n}' } } },
      },
      DEFAULT_ROUTE,
    ],
    variants: [
      {
        name: 'mtu',
        conf: { mtu: 1400 },
        effects: [{ say: 'MTU 1400 in the pod', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', mtu: 1400 } }],
      },
    ],
  },
  {
    type: 'dummy',
    kind: 'main',
    conf: { ipam: HOST_LOCAL },
    ipam: 'host-local',
    needs: ['dummy'],
    tampers: LINK_TAMPERS.filter((tamper) => tamper.say !== 'route-gone'),
    effects: [podLink('dummy')],
  },
  {
    type: 'tap',
    kind: 'main',
    conf: { ipam: HOST_LOCAL },
    ipam: 'host-local',
    needs: ['tun/tap'],
    tampers: LINK_TAMPERS.filter((tamper) => tamper.say !== 'route-gone'),
    effects: [podLink('tun')],
  },
  {
    type: 'host-device',
    kind: 'main',
    conf: { device: 'hd{n}', ipam: HOST_LOCAL },
    ipam: 'host-local',
    needs: ['veth'],
    perPod: [['ip', 'link', 'add', 'hd{n}', 'type', 'veth', 'peer', 'name', 'hp{n}']],
    tampers: LINK_TAMPERS,
    effects: [podLink('veth'), DEFAULT_ROUTE],
  },
  {
    type: 'loopback',
    kind: 'main',
    conf: {},
    ifname: 'lo',
    repeatable: true,
    effects: [
      {
        say: 'lo up, with 127.0.0.1/8',
        in: 'pod',
        tool: 'addr',
        has: { ifname: 'lo', flags: ['UP'], addr_info: [{ local: '127.0.0.1', prefixlen: 8 }] },
      },
    ],
    tampers: [{ say: 'lo-down', in: 'pod', run: ['ip', 'link', 'set', 'lo', 'down'] }],
  },
];
