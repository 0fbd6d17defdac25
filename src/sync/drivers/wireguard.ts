/** WireGuard: our own devices, wholly: keys, port and peers. */

import type { Wireguard } from '#kernel/wireguard/handle.ts';
import type { Link } from '#wire/netlink/values.ts';
import type { WireguardDevice } from '#wire/wireguard/values.ts';

export function readWireguard(wireguard: Wireguard, own: readonly Link[]): WireguardDevice[] {
  return own.filter(({ info }) => info.kind === 'wireguard').flatMap(({ name }) => wireguard.device(name) ?? []);
}
