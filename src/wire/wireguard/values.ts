/** What WireGuard says and is told, as plain values. Source: wg(8), linux/wireguard.h. */

import type { Addr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';

/** A public key as `wg` prints it: 32 bytes in base64. Private keys are never values of this kind. */
export type PublicKey = string & { readonly [publicKeyBrand]: true };
declare const publicKeyBrand: unique symbol;

/** Where a peer is reached: UDP. */
export interface Endpoint {
  readonly addr: Addr;
  readonly port: number;
}

/** A peer as it is to be. */
export interface WireguardPeer {
  readonly publicKey: PublicKey;
  /** Absent: wherever it calls from. */
  readonly endpoint?: Endpoint;
  /** Seconds between packets that keep the way open; 0: none are sent. */
  readonly keepalive: number;
  /** What goes to it, and what it may send from; of overlapping networks of several peers the longest counts. */
  readonly allowedIps: readonly Prefix[];
}

/** A peer as the kernel reports it. */
export interface PeerReport extends WireguardPeer {
  /** Milliseconds since 1970 of the last handshake; absent: there was none. */
  readonly lastHandshake?: number;
  readonly rxBytes: number;
  readonly txBytes: number;
}

/** A device as the kernel reports it. */
export interface WireguardDevice {
  readonly name: string;
  /** Absent: it has no private key yet. */
  readonly publicKey?: PublicKey;
  /** UDP. */
  readonly port: number;
  /** Mark of the packets that it sends (SO_MARK); 0: none. */
  readonly mark: number;
  readonly peers: readonly PeerReport[];
}

/** One change. The private key is not in it: who runs it has the key of `publicKey`. */
export type WireguardOp =
  | {
      readonly op: 'wg.set';
      readonly device: string;
      /** The pair of keys to take. */
      readonly publicKey?: PublicKey;
      readonly port?: number;
      readonly mark?: number;
    }
  /** Makes the peer, or changes it so. */
  | { readonly op: 'wg.peer'; readonly device: string; readonly peer: WireguardPeer }
  | { readonly op: 'wg.remove'; readonly device: string; readonly publicKey: PublicKey };
