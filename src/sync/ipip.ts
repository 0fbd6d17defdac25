/** Brings the programs that stand in for IPIP to what the node's state says of it. */

import type { NodeState } from '#calc/state.ts';
import { placeIpip } from '#kernel/bpf/ipip.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';

/** After each pass: the programs belong to interfaces that the pass makes. */
export class IpipDriver {
  readonly #netlink: Netlink;
  #trouble: string | undefined;

  constructor(netlink: Netlink) {
    this.#netlink = netlink;
  }

  /** Why packets cannot be encapsulated, if so. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Never throws. */
  apply({ tunnels }: Pick<NodeState, 'tunnels'>): void {
    const tunnel = tunnels.filter((each) => each.kind === 'ipip').find(({ standIn }) => standIn);
    try {
      placeIpip(this.#netlink, tunnel);
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = error instanceof Error ? error.message : String(error);
    }
  }
}
