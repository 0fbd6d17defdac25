/** What the plugin `loopback` does, without a process: container runtimes do it for every pod beside its network. */

import { openNetlink } from '#kernel/netlink/netlink.ts';
import { openNetns } from '#kernel/netns/netns.ts';
import { PolderError } from '#spec/errors.ts';
import { printOp } from '#wire/netlink/print.ts';

/** Sets `lo` of the network namespace at the path up. @throws PolderError cni-netns, kernel-refused */
export function setLoopbackUp(path: string): void {
  using netns = open(path);
  using netlink = openNetlink(netns.fd);
  const [failure] = netlink.run([{ op: 'link.set', name: 'lo', change: { up: true } }]);
  if (failure) {
    throw new PolderError('kernel-refused', { command: printOp(failure.op), reason: failure.text ?? failure.code });
  }
}

function open(path: string) {
  try {
    return openNetns({ path });
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new PolderError('cni-netns', { path, what }, { cause: error });
  }
}
