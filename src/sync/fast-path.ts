/** Brings the fast path to what the node's state says of it. */

import type { FastPathState } from '#calc/state.ts';
import { FastPath, type FastPathContent } from '#kernel/bpf/fast-path.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';

/**
 * Holds the kernel's part for as long as it is wanted. A short cut beside the routes: it has no operations in the plan,
 * and where it cannot be, packets go the ordinary way.
 */
export class FastPathDriver implements Disposable {
  readonly #netlink: Netlink;
  #kernel: FastPath | undefined;
  /** The kernel cannot do it at all: not asked again, since a kernel does not change. */
  #impossible = false;
  #trouble: string | undefined;

  constructor(netlink: Netlink) {
    this.#netlink = netlink;
  }

  /** Why it is not there, or not as it should be, if so. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  get active(): boolean {
    return this.#kernel !== undefined;
  }

  /** Never throws: on an error it lets go of everything, which leaves the ordinary way. */
  apply(state: FastPathState | undefined): void {
    if (!state) this.#release();
    if (!state || this.#impossible) return;
    try {
      this.#begin().set(contentOf(state, this.#netlink));
      this.#trouble = undefined;
    } catch (error) {
      this.#release();
      this.#trouble = error instanceof Error ? error.message : String(error);
    }
  }

  #begin(): FastPath {
    this.#impossible = this.#kernel === undefined;
    this.#kernel ??= new FastPath();
    this.#impossible = false;
    return this.#kernel;
  }

  #release(): void {
    this.#kernel?.[Symbol.dispose]();
    this.#kernel = undefined;
  }

  [Symbol.dispose](): void {
    this.#release();
  }
}

/** Names become indices; a pod or a way whose interface is not there is left out. */
function contentOf(state: FastPathState, netlink: Netlink): FastPathContent {
  const links = new Map(netlink.links().map((link) => [link.name, link]));
  const pods: FastPathContent['pods'] = new Map(
    state.pods.flatMap(({ addr, ifname, mac }) => {
      const link = links.get(ifname);
      return link?.mac ? [[addr, { ifindex: link.index, mtu: state.podMtu, mac, hostMac: link.mac }]] : [];
    }),
  );
  const ways: FastPathContent['ways'] = new Map(
    state.ways.flatMap(({ to, via, ifname, mtu }) => {
      const link = links.get(ifname);
      return link ? [[to, { ifindex: link.index, mtu, via }]] : [];
    }),
  );
  const uplinks = state.uplinks.flatMap((name) => links.get(name)?.index ?? []);
  return { pods, ways, uplinks };
}
