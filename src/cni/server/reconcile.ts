/** What the journal knows against what the kernel has, once at start. */

import { keyOf } from '#cni/ipam/record.ts';
import type { EndpointStore } from '#cni/ipam/store.ts';
import type { Log } from '#cni/log.ts';
import type { CallerNetns } from '#cni/plugin.ts';

/**
 * An attachment that was never finished had no answer: nobody knows of it, so it is undone. One whose interface is
 * gone keeps its address until DEL or GC names it, but the agent is not to program it.
 */
export async function reconcile(store: EndpointStore, own: CallerNetns, log: Log): Promise<void> {
  const names = new Set(own.netlink.links().map((link) => link.name));
  for (const endpoint of store.all()) {
    const key = keyOf(endpoint);
    if (!store.isUp(key)) {
      await own.remover.remove(endpoint.hostIfname);
      store.free(key);
      log.info({ endpoint: key, addrs: endpoint.addrs }, 'undid an attachment that the last agent had not finished');
    } else if (!names.has(endpoint.hostIfname)) {
      store.hide(key);
      log.warn(
        { endpoint: key, addrs: endpoint.addrs },
        'the interface of an attachment is gone; DEL or GC will free its address',
      );
    }
  }
}
