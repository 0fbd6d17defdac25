/** Descriptors that Node's own classes do not take, watched by its event loop. */

import koffi from 'koffi';

const READABLE = { readable: true };

/**
 * Calls back whenever the descriptor can be read or has an error to tell, until closed. The descriptor stays the
 * caller's, who closes it after this.
 */
export function pollReadable(fd: number, onReadable: () => void): { close(): void } {
  let open = true;
  const wake = (status: unknown) => {
    if (!open) return;
    onReadable();
    // libuv stops watching a descriptor with an error; a netlink socket's (ENOBUFS) has just been read away.
    if (status !== 0 && open) handle.start(READABLE, wake);
  };
  const handle = koffi.node.poll(fd, READABLE, wake);
  return {
    close() {
      if (open) handle.close();
      open = false;
    },
  };
}
