/** `bridge`. */

import type { Descriptor } from '#cni/conformance/descriptor.ts';
import { DEFAULT_ROUTE, HOST_LOCAL, LINK_TAMPERS, podLink } from '#cni/conformance/descriptors/common.ts';

export const BRIDGE: Descriptor = {
  type: 'bridge',
  kind: 'main',
  conf: { bridge: 'cbr0', isGateway: true, ipam: HOST_LOCAL },
  ipam: 'host-local',
  needs: ['bridge', 'veth'],
  traffic: { pods: true, node: true },
  notReady: { say: 'its bridge is none', run: [['ip', 'link', 'add', 'cbr0', 'type', 'veth', 'peer', 'name', 'cbr1']] },
  tampers: [...LINK_TAMPERS, { say: 'port-gone', in: 'node', run: ['ip', 'link', 'set', '{hostif}', 'nomaster'] }],
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
      name: 'no-ipam',
      conf: { isGateway: false, ipam: {} },
      effects: [
        { say: 'an interface that is up', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', flags: ['UP'] } },
        {
          say: 'without an address',
          in: 'pod',
          tool: 'addr',
          has: { ifname: '{ifname}', addr_info: [{ family: 'inet' }] },
          absent: true,
        },
      ],
    },
    {
      name: 'disableContainerInterface',
      conf: { disableContainerInterface: true, isGateway: false, ipam: {} },
      effects: [
        { say: 'an interface', in: 'pod', tool: 'addr', has: { ifname: '{ifname}' } },
        { say: 'that is down', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', flags: ['UP'] }, absent: true },
      ],
    },
    {
      name: 'portIsolation',
      conf: { portIsolation: true },
      effects: [{ say: 'an isolated port', in: 'node', tool: 'port', has: { master: 'cbr0', isolated: true } }],
    },
    {
      name: 'mac',
      conf: { runtimeConfig: { mac: '02:11:22:33:44:55' } },
      effects: [
        { say: 'that MAC', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', address: '02:11:22:33:44:55' } },
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
};
