/** Plugins that make an interface. */

import type { Descriptor } from '#cni/conformance/descriptor.ts';
import { DEFAULT_ROUTE, HOST_LOCAL, LINK_TAMPERS, podLink } from '#cni/conformance/descriptors/common.ts';

const FORWARD = [
  ['sysctl', '-qw', 'net.ipv4.ip_forward=1'],
  ['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1'],
];

export const MAIN: readonly Descriptor[] = [
  {
    type: 'bridge',
    kind: 'main',
    conf: { bridge: 'cbr0', isGateway: true, ipam: HOST_LOCAL },
    ipam: 'host-local',
    needs: ['bridge', 'veth'],
    traffic: { pods: true, node: true },
    tampers: LINK_TAMPERS,
    effects: [
      podLink('veth'),
      DEFAULT_ROUTE,
      {
        say: 'on the node the bridge cbr0, up, with the gateway’s address',
        in: 'node',
        tool: 'addr',
        has: { ifname: 'cbr0', flags: ['UP'], linkinfo: { info_kind: 'bridge' }, addr_info: [{ local: '10.22.0.1' }] },
        stays: true,
      },
      {
        say: 'on the node a veth that is a port of cbr0',
        in: 'node',
        tool: 'addr',
        has: { master: 'cbr0', flags: ['UP'], linkinfo: { info_kind: 'veth' } },
      },
    ],
    variants: [
      {
        name: 'mtu',
        conf: { mtu: 1400 },
        effects: [
          { say: 'MTU 1400 in the pod', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', mtu: 1400 } },
          { say: 'MTU 1400 on the node’s end', in: 'node', tool: 'addr', has: { master: 'cbr0', mtu: 1400 } },
        ],
      },
      {
        name: 'hairpinMode',
        conf: { hairpinMode: true },
        effects: [{ say: 'a port with hairpin', in: 'node', tool: 'port', has: { master: 'cbr0', hairpin: true } }],
      },
      {
        name: 'promiscMode',
        conf: { promiscMode: true },
        effects: [
          {
            say: 'cbr0 promiscuous',
            in: 'node',
            tool: 'addr',
            has: { ifname: 'cbr0', flags: ['PROMISC'] },
            stays: true,
          },
        ],
      },
      {
        name: 'vlan',
        conf: { vlan: 100, isGateway: false },
        needs: ['bridge VLAN filtering'],
        effects: [
          {
            say: 'a port with VLAN 100, untagged',
            in: 'node',
            tool: 'vlan',
            has: { ifname: '{hostif}', vlans: [{ vlan: 100, flags: ['PVID', 'Egress Untagged'] }] },
          },
        ],
      },
      {
        name: 'vlan-gateway',
        conf: { vlan: 100 },
        needs: ['bridge VLAN filtering'],
        effects: [
          {
            say: 'on the node an interface of its own in VLAN 100, with the gateway’s address',
            in: 'node',
            tool: 'addr',
            has: { ifname: 'cbr0.100', flags: ['UP'], addr_info: [{ local: '10.22.0.1' }] },
            stays: true,
          },
        ],
      },
      {
        name: 'vlanTrunk',
        conf: { vlanTrunk: [{ id: 100 }, { minID: 200, maxID: 202 }], isGateway: false },
        needs: ['bridge VLAN filtering'],
        effects: [
          {
            say: 'a port with VLANs 100 and 200 to 202, tagged',
            in: 'node',
            tool: 'vlan',
            has: { ifname: '{hostif}', vlans: [{ vlan: 100 }, { vlan: 200 }, { vlan: 201 }, { vlan: 202 }] },
          },
        ],
      },
      {
        name: 'preserveDefaultVlan',
        conf: { vlan: 100, preserveDefaultVlan: false, isGateway: false },
        needs: ['bridge VLAN filtering'],
        effects: [
          {
            say: 'a port with VLAN 100',
            in: 'node',
            tool: 'vlan',
            has: { ifname: '{hostif}', vlans: [{ vlan: 100 }] },
          },
          {
            say: 'but not with VLAN 1',
            in: 'node',
            tool: 'vlan',
            has: { ifname: '{hostif}', vlans: [{ vlan: 1 }] },
            absent: true,
          },
        ],
      },
      {
        name: 'both-families',
        conf: {
          ipam: {
            ...HOST_LOCAL,
            ranges: [[{ subnet: '10.22.0.0/24' }], [{ subnet: 'fd00:22::/64' }]],
            routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
          },
        },
        effects: [
          {
            say: 'an address of each family',
            in: 'pod',
            tool: 'addr',
            has: { ifname: '{ifname}', addr_info: [{ family: 'inet' }, { family: 'inet6', local: '/^fd00:22::/' }] },
          },
          { say: 'an IPv6 default route', in: 'pod', tool: 'route6', has: { dst: 'default' } },
        ],
      },
      {
        name: 'isDefaultGateway',
        conf: { isDefaultGateway: true, ipam: { ...HOST_LOCAL, routes: [] } },
        effects: [
          { say: 'default via the bridge', in: 'pod', tool: 'route', has: { dst: 'default', gateway: '10.22.0.1' } },
        ],
      },
    ],
  },
  {
    type: 'ptp',
    kind: 'main',
    conf: { ipam: HOST_LOCAL },
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
    tampers: LINK_TAMPERS,
    effects: [podLink('macvlan'), DEFAULT_ROUTE],
    variants: [
      {
        name: 'mtu',
        conf: { mtu: 1400 },
        effects: [{ say: 'MTU 1400 in the pod', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', mtu: 1400 } }],
      },
      {
        name: 'private',
        conf: { mode: 'private' },
        effects: [
          {
            say: 'mode private',
            in: 'pod',
            tool: 'addr',
            has: { ifname: '{ifname}', linkinfo: { info_data: { mode: 'private' } } },
          },
        ],
      },
    ],
  },
  {
    type: 'ipvlan',
    kind: 'main',
    conf: { master: '{uplink}', ipam: HOST_LOCAL },
    ipam: 'host-local',
    needs: ['ipvlan'],
    traffic: { pods: true, node: false },
    tampers: LINK_TAMPERS.filter((tamper) => tamper.say !== 'mac-changed'),
    effects: [podLink('ipvlan'), DEFAULT_ROUTE],
    variants: [
      {
        name: 'mtu',
        conf: { mtu: 1400 },
        effects: [{ say: 'MTU 1400 in the pod', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', mtu: 1400 } }],
      },
      ...(['l3', 'l3s'] as const).map((mode) => ({
        name: mode,
        conf: { mode },
        effects: [
          {
            say: `mode ${mode}`,
            in: 'pod',
            tool: 'addr',
            has: { ifname: '{ifname}', linkinfo: { info_data: { mode } } },
          } as const,
        ],
      })),
    ],
  },
  {
    type: 'vlan',
    kind: 'main',
    // An interface has each VLAN once: no two pods of a node share one.
    conf: { master: '{uplink}', vlanId: '{n}', ipam: HOST_LOCAL },
    ipam: 'host-local',
    needs: ['VLAN'],
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
