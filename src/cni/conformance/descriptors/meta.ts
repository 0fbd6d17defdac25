/** Plugins that change what another one made. */

import type { Descriptor } from '#cni/conformance/descriptor.ts';

const VETH = ['bridge', 'ptp', 'polder'];

export const META: readonly Descriptor[] = [
  {
    type: 'portmap',
    kind: 'meta',
    beneath: VETH,
    needs: ['nft NAT'],
    conf: {
      runtimeConfig: { portMappings: [{ hostPort: '{port}', containerPort: 80, protocol: 'tcp' }] },
    },
    repeatable: true,
    tampers: [{ say: 'rules-gone', in: 'node', run: ['nft', 'flush', 'ruleset'] }],
  },
  {
    type: 'bandwidth',
    kind: 'meta',
    beneath: VETH,
    endsWithInterface: true,
    needs: ['tbf', 'ifb'],
    conf: {
      runtimeConfig: {
        bandwidth: { ingressRate: 8000000, ingressBurst: 800000, egressRate: 16000000, egressBurst: 1600000 },
      },
    },
    effects: [
      { say: 'tbf on the node’s end', in: 'node', tool: 'qdisc', has: { kind: 'tbf', dev: '{hostif}' } },
      { say: 'an ifb for the other direction', in: 'node', tool: 'addr', has: { linkinfo: { info_kind: 'ifb' } } },
      {
        say: 'on it tbf of 16 Mbit/s',
        in: 'node',
        tool: 'qdisc',
        has: { kind: 'tbf', dev: '/^(?!{hostif}$)/', options: { rate: 2000000, burst: '/^(199|20[01])...$/' } },
      },
      {
        say: 'on the node’s end tbf of 8 Mbit/s',
        in: 'node',
        tool: 'qdisc',
        has: { kind: 'tbf', dev: '{hostif}', options: { rate: 1000000, burst: '/^(99|10[01])...$/' } },
      },
    ],
    variants: [
      {
        name: 'static',
        conf: {
          runtimeConfig: {},
          ingressRate: 4000000,
          ingressBurst: 400000,
          egressRate: 6000000,
          egressBurst: 600000,
        },
        effects: [
          {
            say: 'on the node’s end tbf of 4 Mbit/s',
            in: 'node',
            tool: 'qdisc',
            has: { kind: 'tbf', dev: '{hostif}', options: { rate: 500000 } },
          },
          {
            say: 'for the other direction tbf of 6 Mbit/s',
            in: 'node',
            tool: 'qdisc',
            has: { kind: 'tbf', dev: '/^(?!{hostif}$)/', options: { rate: 750000 } },
          },
        ],
      },
      {
        name: 'ingress',
        conf: { runtimeConfig: { bandwidth: { ingressRate: 8000000, ingressBurst: 800000 } } },
        effects: [
          { say: 'tbf on the node’s end', in: 'node', tool: 'qdisc', has: { kind: 'tbf', dev: '{hostif}' } },
          {
            say: 'and nothing for the other direction',
            in: 'node',
            tool: 'addr',
            has: { linkinfo: { info_kind: 'ifb' } },
            absent: true,
          },
        ],
      },
    ],
    tampers: [{ say: 'qdisc-gone', in: 'node', run: ['tc', 'qdisc', 'del', 'dev', '{hostif}', 'root'] }],
  },
  {
    type: 'tuning',
    kind: 'meta',
    beneath: VETH,
    repeatable: true,
    conf: {
      dataDir: '{dir}/tuning',
      sysctl: { 'net.ipv4.conf.{ifname}.arp_filter': '1' },
      mtu: 1380,
      promisc: true,
    },
    effects: [
      { say: 'MTU 1380', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', mtu: 1380 } },
      { say: 'promiscuous', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', flags: ['PROMISC'] } },
      {
        say: 'the sysctl',
        in: 'pod',
        tool: 'sysctl',
        has: { name: 'net.ipv4.conf.{ifname}.arp_filter', value: '1' },
        stays: true,
      },
    ],
    variants: [
      {
        name: 'mac',
        conf: { mac: '02:11:22:33:44:55' },
        effects: [
          { say: 'that MAC', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', address: '02:11:22:33:44:55' } },
        ],
      },
      {
        name: 'txQLen',
        conf: { txQLen: 500 },
        effects: [{ say: 'that queue', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', txqlen: 500 } }],
      },
      {
        name: 'allmulti',
        conf: { allmulti: true },
        effects: [{ say: 'ALLMULTI', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', flags: ['ALLMULTI'] } }],
      },
    ],
    tampers: [
      { say: 'mtu-changed', in: 'pod', run: ['ip', 'link', 'set', '{ifname}', 'mtu', '1300'] },
      { say: 'promisc-off', in: 'pod', run: ['ip', 'link', 'set', '{ifname}', 'promisc', 'off'] },
      { say: 'sysctl-changed', in: 'pod', run: ['sysctl', '-qw', 'net.ipv4.conf.{ifname}.arp_filter=0'] },
    ],
  },
  { type: 'firewall', kind: 'meta', beneath: VETH, conf: {}, repeatable: true },
  {
    type: 'sbr',
    kind: 'meta',
    beneath: VETH,
    conf: {},
    endsWithInterface: true,
    effects: [
      { say: 'a rule for packets from the address', in: 'pod', tool: 'rule', has: { src: '{ip}' } },
      {
        say: 'a table of its own with the default route',
        in: 'pod',
        tool: 'route',
        has: { dst: 'default', table: '/^\\d+$/' },
      },
    ],
  },
  {
    type: 'vrf',
    kind: 'meta',
    beneath: VETH,
    needs: ['VRF'],
    conf: { vrfname: 'red' },
    effects: [
      { say: 'the interface in the VRF red', in: 'pod', tool: 'addr', has: { ifname: '{ifname}', master: 'red' } },
    ],
    variants: [
      {
        name: 'table',
        conf: { table: 77 },
        effects: [
          {
            say: 'the VRF red with table 77',
            in: 'pod',
            tool: 'addr',
            has: { ifname: 'red', linkinfo: { info_data: { table: 77 } } },
          },
        ],
      },
    ],
    tampers: [{ say: 'master-gone', in: 'pod', run: ['ip', 'link', 'set', '{ifname}', 'nomaster'] }],
  },
];
