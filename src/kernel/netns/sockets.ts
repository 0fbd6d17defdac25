/** Sockets of another network namespace, to be handed to Node by descriptor. */

import { listenTcp, makeTcp } from '#kernel/ffi/sockets.ts';
import { inNetns, type NetnsRef } from '#kernel/netns/enter.ts';
import type { Addr } from '#net/addr.ts';

/** A listening TCP socket in the namespace: `server.listen({ fd })`. Port 0: the kernel chooses. @throws SystemError */
export function listenTcpInNetns(ns: NetnsRef, addr: Addr, port: number): number {
  return inNetns(ns, () => listenTcp(addr, port));
}

/** An unconnected TCP socket in the namespace: `new net.Socket({ fd }).connect(…)` then connects there. @throws SystemError */
export function tcpInNetns(ns: NetnsRef, family: 4 | 6): number {
  return inNetns(ns, () => makeTcp(family));
}
