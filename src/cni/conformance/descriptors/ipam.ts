/** Plugins that give addresses. Their configuration stands below `ipam`. */

import type { Descriptor } from '#cni/conformance/descriptor.ts';
import { HOST_LOCAL } from '#cni/conformance/descriptors/common.ts';

/** A server for the segment of the uplink, whose far end has 198.51.100.2. */
const DNSMASQ = [
  'dnsmasq',
  ...['--no-daemon', '--conf-file=/dev/null', '--port=0', '--bind-dynamic', '--except-interface=lo', '--no-ping'],
  ...['--user=root', '--group=root', '--pid-file=', '--leasefile-ro'],
  '--dhcp-range=198.51.100.50,198.51.100.250,255.255.255.0,1h',
  '--dhcp-option=option:router,198.51.100.2',
];

export const IPAM: readonly Descriptor[] = [
  { type: 'host-local', kind: 'ipam', conf: HOST_LOCAL, noInterface: true },
  {
    type: 'static',
    kind: 'ipam',
    conf: {
      type: 'static',
      addresses: [{ address: '10.23.0.5/24', gateway: '10.23.0.1' }],
      routes: [{ dst: '0.0.0.0/0' }],
    },
    noInterface: true,
    repeatable: true,
  },
  {
    type: 'dhcp',
    kind: 'ipam',
    conf: { type: 'dhcp', daemonSocketPath: '{dir}/dhcp.sock' },
    needs: ['macvlan'],
    programs: [
      { in: 'outside', run: DNSMASQ },
      // The reference's leases are kept by a daemon of its own; another plugin refuses the word, and has none.
      { in: 'node', run: ['{bin}', 'daemon', '-socketpath', '{dir}/dhcp.sock'], ready: '{dir}/dhcp.sock' },
    ],
    perPod: [
      [
        'ip',
        'link',
        'add',
        'link',
        '{uplink}',
        'name',
        '{ifname}',
        'netns',
        '{netns}',
        'type',
        'macvlan',
        'mode',
        'bridge',
      ],
      ['nsenter', '--net={netns}', 'ip', 'link', 'set', '{ifname}', 'up'],
    ],
    noInterface: true,
  },
];
