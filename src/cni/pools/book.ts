/** Where a pod's addresses come from, as the plugin asks for them. */

import { type AddressSource, cidrSource } from '#cni/ipam/source.ts';
import type { Addr } from '#net/addr.ts';
import type { NodeNetwork } from '#spec/node-network.ts';

export interface AddressAsk {
  /** Namespace and name of the pod, where the caller said them. */
  readonly namespace?: string;
  readonly pod?: string;
  /** Addresses that the call itself asks for by name. */
  readonly wanted: readonly Addr[];
}

/** Takes addresses from these sources, synchronously: nothing comes between the offer and the taking. */
export type Take<T> = (sources: readonly AddressSource[], wanted: readonly Addr[]) => T;

export interface AddressBook {
  /**
   * Calls `take` once with sources that have what is asked for; waits for the API where what the node holds does not do.
   * @throws PolderError addresses-exhausted, address-outside, address-taken, address-strict, pool-unusable,
   *   annotation-invalid, cni-try-later
   */
  take<T>(ask: AddressAsk, network: NodeNetwork, take: Take<T>): Promise<T>;
  /** What an ordinary pod could have at once: for STATUS. */
  sources(network: NodeNetwork): readonly AddressSource[];
}

/** Addresses of the node's CIDRs. */
export const NODE_CIDRS: AddressBook = {
  take: async ({ wanted }, network, take) => take(NODE_CIDRS.sources(network), wanted),
  sources: ({ podCidrs }) => podCidrs.map(cidrSource),
};
