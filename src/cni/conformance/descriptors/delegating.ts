/** Plugins that call whole other plugins. */

import type { Descriptor } from '#cni/conformance/descriptor.ts';
import { DEFAULT_ROUTE, HOST_LOCAL, LINK_TAMPERS, podLink } from '#cni/conformance/descriptors/common.ts';

/** As flanneld writes it, by lines. */
const SUBNET_ENV = [
  'FLANNEL_NETWORK=10.22.0.0/16',
  'FLANNEL_SUBNET=10.22.0.1/24',
  'FLANNEL_MTU=1400',
  'FLANNEL_IPMASQ=true',
].join('\\n');

const NET1 = {
  cniVersion: '1.0.0',
  name: 'second',
  type: 'bridge',
  bridge: 'cbr1',
  ipam: { type: 'host-local', dataDir: '{dir}/ipam', ranges: [[{ subnet: '10.25.0.0/24' }]] },
};

export const DELEGATING: readonly Descriptor[] = [
  {
    type: 'flannel',
    kind: 'main',
    conf: {
      subnetFile: '{dir}/subnet.env',
      dataDir: '{dir}/flannel',
      delegate: { bridge: 'cbr0' },
      ipam: { dataDir: '{dir}/ipam', routes: [{ dst: '0.0.0.0/0' }] },
    },
    calls: ['bridge', 'host-local'],
    needs: ['bridge', 'veth'],
    setup: [['sh', '-c', `printf '${SUBNET_ENV}\\n' >{dir}/subnet.env`]],
    traffic: { pods: true, node: true },
    tampers: LINK_TAMPERS,
    effects: [
      podLink('veth'),
      DEFAULT_ROUTE,
      { say: 'a route to the pod network', in: 'pod', tool: 'route', has: { dst: '10.22.0.0/16' } },
      { say: 'the MTU of subnet.env', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', mtu: 1400 } },
      {
        say: 'on the node the bridge cbr0 with the subnet’s first address',
        in: 'node',
        tool: 'addr',
        has: { ifname: 'cbr0', addr_info: [{ local: '10.22.0.1' }] },
        stays: true,
      },
    ],
    variants: [
      {
        name: 'hairpinMode',
        conf: { delegate: { bridge: 'cbr0', hairpinMode: true } },
        effects: [{ say: 'a port with hairpin', in: 'node', tool: 'port', has: { master: 'cbr0', hairpin: true } }],
      },
    ],
  },
  {
    type: 'polder-multi',
    kind: 'main',
    single: 'its networks beyond the first have names of their own',
    conf: {
      cniDir: '{dir}/multi',
      // A pod without networks of its own: what those are is the API's to say, of which the suite has none.
      runtimeConfig: { 'io.kubernetes.cri.pod-annotations': {} },
      delegates: [
        { cniVersion: '1.0.0', name: 'first', type: 'bridge', bridge: 'cbr0', isGateway: true, ipam: HOST_LOCAL },
        NET1,
      ],
    },
    calls: ['bridge', 'host-local'],
    needs: ['bridge', 'veth'],
    traffic: { pods: true, node: true },
    tampers: [
      ...LINK_TAMPERS,
      { say: 'net1-gone', in: 'pod', run: ['ip', 'link', 'del', 'net1'] },
      { say: 'net1-address-gone', in: 'pod', run: ['ip', 'addr', 'flush', 'dev', 'net1', 'scope', 'global'] },
    ],
    effects: [
      podLink('veth'),
      DEFAULT_ROUTE,
      {
        say: 'in the pod net1 with an address of the second network',
        in: 'pod',
        tool: 'addr',
        has: { ifname: 'net1', flags: ['UP'], addr_info: [{ local: '/^10\\.25\\.0\\./' }] },
      },
      { say: 'on the node a port of cbr0', in: 'node', tool: 'addr', has: { master: 'cbr0', flags: ['UP'] } },
      { say: 'on the node a port of cbr1', in: 'node', tool: 'addr', has: { master: 'cbr1', flags: ['UP'] } },
    ],
  },
];
