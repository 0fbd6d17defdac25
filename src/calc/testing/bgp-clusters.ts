/** Named clusters whose nodes speak BGP: what tests of calc, of BIRD's configuration and of the agent walk between. */

import { cluster, node } from '#calc/testing/clusters.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { type BgpConfiguration, type BgpPeer, type BgpSettings, DEFAULT_BGP } from '#spec/bgp.ts';
import { type ClusterNode, PROFILES, type Snapshot } from '#spec/cluster.ts';
import { type Pool, poolOf } from '#spec/pool.ts';

export function bgpNode(name: string, index: number, more: Partial<ClusterNode> = {}): ClusterNode {
  return { ...node(name, `192.168.1.${100 + index}`, `10.244.${index}.0/24`), ...more };
}

export function peer(name: string, more: Partial<BgpPeer>): BgpPeer {
  return { name, nextHop: 'auto', sourceAddress: 'UseNodeIP', filters: [], ...more };
}

interface Changes {
  readonly nodes?: readonly ClusterNode[];
  readonly pools?: readonly Pool[];
  readonly bgp?: Partial<Omit<BgpSettings, 'configuration'>> & { readonly configuration?: Partial<BgpConfiguration> };
}

const NODES = [bgpNode('node1', 1), bgpNode('node2', 2), bgpNode('node3', 3)];

/** As node1 sees it. */
export function bgpCluster({ nodes = NODES, pools, bgp }: Changes = {}): Snapshot {
  const made = cluster(PROFILES['calico-bgp'], { nodes });
  const configuration = { ...DEFAULT_BGP.configuration, ...bgp?.configuration };
  return {
    ...made,
    pools: pools ?? [poolOf('default', parsePrefix('10.244.0.0/16'))],
    bgp: { ...DEFAULT_BGP, ...bgp, configuration },
  };
}

const TOR = { peerIp: parseAddr('192.168.1.2'), asNumber: 64_600 };
const dual = (name: string, index: number) =>
  bgpNode(name, index, {
    addrs: [parseAddr(`192.168.1.${100 + index}`), parseAddr(`fd00::${100 + index}`)],
    networks: [parsePrefix(`10.244.${index}.0/24`), parsePrefix(`fd00:10:244:${index}::/64`)],
  });
const secret = (key: string) => ({ name: 'bgp', key });

export const BGP_CLUSTERS = {
  mesh: bgpCluster(),
  alone: bgpCluster({ nodes: NODES.slice(0, 1) }),
  'both families': bgpCluster({
    nodes: [dual('node1', 1), dual('node2', 2), bgpNode('node4', 4, { addrs: [] })],
    pools: [poolOf('v4', parsePrefix('10.244.0.0/16')), poolOf('v6', parsePrefix('fd00:10:244::/48'))],
  }),
  'route reflector': bgpCluster({
    nodes: [
      ...NODES.slice(0, 2),
      bgpNode('node3', 3, { routeReflectorClusterId: parseAddr('244.0.0.1'), labels: { rr: 'true' } }),
    ],
    bgp: {
      configuration: { mesh: false },
      peers: [peer('to-rr', { nodeSelector: "!(rr == 'true')", peerSelector: "rr == 'true'" })],
    },
  }),
  'top-of-rack router, every option': bgpCluster({
    bgp: {
      configuration: {
        listenPort: 1179,
        bindMode: 'NodeIP',
        meshMaxRestartSeconds: 60,
        serviceClusterIps: [parsePrefix('10.96.0.0/12')],
        serviceExternalIps: [parsePrefix('203.0.113.0/28')],
        prefixAdvertisements: [{ cidr: parsePrefix('10.244.0.0/16'), communities: ['65000:100', '65000:1:2'] }],
        ignoredInterfaces: ['docker*'],
      },
      peers: [
        peer('tor', {
          ...TOR,
          peerPort: 1790,
          nextHop: 'keep',
          sourceAddress: 'None',
          maxRestartSeconds: 30,
          numAllowedLocalAsNumbers: 2,
          failureDetection: 'bfd',
          reachableBy: parseAddr('192.168.1.1'),
        }),
        peer('far', { ...TOR, peerIp: parseAddr('192.168.2.2'), ttlSecurity: 2 }),
      ],
    },
  }),
  filters: bgpCluster({
    nodes: NODES.slice(0, 1),
    bgp: {
      peers: [peer('tor', { ...TOR, filters: ['tor'] })],
      filters: [
        {
          name: 'tor',
          exportV4: [
            { action: 'Reject', cidr: parsePrefix('10.244.2.0/24'), matchOperator: 'Equal', source: 'RemotePeers' },
            { action: 'Accept', cidr: parsePrefix('10.8.0.0/14'), matchOperator: 'In', prefixLength: { max: 16 } },
          ],
          importV4: [
            { action: 'Reject', cidr: parsePrefix('0.0.0.0/0'), matchOperator: 'Equal' },
            { action: 'Reject', interface: 'eth1' },
            { action: 'Reject', cidr: parsePrefix('198.51.0.0/16'), matchOperator: 'NotIn' },
          ],
          exportV6: [],
          importV6: [{ action: 'Reject', cidr: parsePrefix('2001:db8::/32'), matchOperator: 'NotEqual' }],
        },
      ],
    },
  }),
  'pools of every way': bgpCluster({
    pools: [
      poolOf('plain', parsePrefix('10.244.0.0/16')),
      poolOf('ipip', parsePrefix('10.245.0.0/16'), { ipip: 'always' }),
      poolOf('vxlan', parsePrefix('10.246.0.0/16'), { vxlan: 'always' }),
      poolOf('far', parsePrefix('10.247.0.0/16'), { ipip: 'cross-subnet' }),
    ],
  }),
  passwords: bgpCluster({
    nodes: NODES.slice(0, 1),
    bgp: {
      peers: ['good', 'bad', 'long', 'none'].map((key, i) =>
        peer(key, { ...TOR, peerIp: parseAddr(`192.168.1.${2 + i}`), password: secret(key) }),
      ),
    },
  }),
} as const satisfies Record<string, Snapshot>;
