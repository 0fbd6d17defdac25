/** Plugins that give addresses. Their configuration stands below `ipam`. */

import type { Descriptor } from '#cni/conformance/descriptor.ts';
import { HOST_LOCAL } from '#cni/conformance/descriptors/common.ts';

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
    conf: { type: 'dhcp', daemonSocketPath: '{dir}/no-dhcp-daemon.sock' },
    noInterface: true,
    protocolOnly: 'it needs its own daemon and a DHCP server',
  },
];
