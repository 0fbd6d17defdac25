/** The CNI plugin `dummy`: see README.md of this folder. */

import { askedMac } from '#cni/parts/asked.ts';
import { singlePlugin } from '#cni/parts/single.ts';
import { makeInPod } from '#cni/parts/stacked.ts';

export const dummy = singlePlugin({
  type: 'dummy',
  kind: 'dummy',
  needsIpam: true,
  make(call, pod, undo) {
    const mac = askedMac(call.conf, call.request);
    const { mtu } = call.conf;
    const link = { info: { kind: 'dummy' }, ...(mtu !== undefined && { mtu }), ...(mac && { mac }) } as const;
    makeInPod(call, pod, link, undo, undefined, pod.netlink);
  },
  status: () => {},
  differences: () => [],
});
