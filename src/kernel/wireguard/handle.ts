/** What a WireGuard handle can do; the kernel's and the fake's both are one. */

import type { PublicKey, WireguardDevice, WireguardOp } from '#wire/wireguard/values.ts';

/** Why an operation failed. */
export interface WireguardFailure {
  readonly op: WireguardOp;
  /** errno's name. */
  readonly code: string;
  readonly text?: string;
}

/** The private key (32 bytes) of a public one; undefined if it is not ours. */
export type PrivateKeys = (publicKey: PublicKey) => Uint8Array | undefined;

/** A handle on the WireGuard devices of one network namespace; all calls are synchronous. */
export interface Wireguard extends Disposable {
  /** Undefined if there is none of this name, or the interface is of another kind, or the kernel has no WireGuard. */
  device(name: string): WireguardDevice | undefined;
  /** Runs the operations in order; goes on past a failure and returns every one. Empty: all done. */
  run(ops: readonly WireguardOp[]): WireguardFailure[];
}
