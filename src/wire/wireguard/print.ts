/** Changes as the lines of `wg` that do the same. Source: wg(8). */

import { familyOf } from '#net/addr.ts';
import type { Endpoint, WireguardOp, WireguardPeer } from '#wire/wireguard/values.ts';

/** A private key is never printed: FILE stands where `wg` takes its name. */
export function printWireguardOp(op: WireguardOp): string {
  return ['wg set', op.device, ...wordsOf(op)].join(' ');
}

function wordsOf(op: WireguardOp): (string | number)[] {
  switch (op.op) {
    case 'wg.set':
      return [
        ...(op.publicKey === undefined ? [] : ['private-key', 'FILE']),
        ...(op.port === undefined ? [] : ['listen-port', op.port]),
        ...(op.mark === undefined ? [] : ['fwmark', op.mark === 0 ? 'off' : `0x${op.mark.toString(16)}`]),
      ];
    case 'wg.peer':
      return peerWords(op.peer);
    case 'wg.remove':
      return ['peer', op.publicKey, 'remove'];
  }
}

function peerWords({ publicKey, endpoint, keepalive, allowedIps }: WireguardPeer): string[] {
  return [
    ...['peer', publicKey],
    ...(endpoint ? ['endpoint', printEndpoint(endpoint)] : []),
    ...['persistent-keepalive', keepalive === 0 ? 'off' : String(keepalive)],
    // An empty word takes what was allowed away.
    ...['allowed-ips', allowedIps.join(',') || "''"],
  ];
}

export function printEndpoint({ addr, port }: Endpoint): string {
  return familyOf(addr) === 6 ? `[${addr}]:${port}` : `${addr}:${port}`;
}
