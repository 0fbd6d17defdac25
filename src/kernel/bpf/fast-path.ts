/**
 * The fast path in the kernel: two programs, two maps, and the interfaces that they are attached to.
 *
 * Nothing of it is pinned: it lives as long as the process. An agent that is killed takes it along, and packets go the
 * ordinary way, which is there all the time; so there is nothing to find again and nothing to leave behind.
 */

import {
  attachIngress,
  createMap,
  deleteElement,
  keysOf,
  loadProgram,
  lookupElement,
  updateElement,
} from '#kernel/ffi/bpf.ts';
import { SystemError } from '#kernel/ffi/errno.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';
import type { Addr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';
import {
  fromNetwork,
  fromPod,
  POD_KEY,
  POD_VALUE,
  type PodEntry,
  podKey,
  podValue,
  WAY_KEY,
  WAY_VALUE,
  type WayEntry,
  wayKey,
  wayValue,
} from '#wire/bpf/fast-path.ts';

/** What the fast path is to know. Interfaces by index, all of the process's own network namespace. */
export interface FastPathContent {
  readonly pods: ReadonlyMap<Addr, PodEntry>;
  readonly ways: ReadonlyMap<Prefix, WayEntry>;
  /** Interfaces that packets from other nodes arrive by. */
  readonly uplinks: readonly number[];
}

const PODS = 4096;
const WAYS = 16_384;

export class FastPath implements Disposable {
  readonly #pods: number;
  readonly #ways: number;
  readonly #fromPod: number;
  readonly #fromNetwork: number;
  /** Descriptors of what holds a program to an interface, by its index. */
  readonly #links = new Map<number, { readonly program: number; readonly fd: number }>();
  readonly #stack = new DisposableStack();

  /** @throws Error if the kernel cannot do it (eBPF, tcx: Linux 6.6). */
  constructor() {
    this.#pods = this.#held(
      createMap({ kind: 'hash', name: 'polder_pods', keySize: POD_KEY, valueSize: POD_VALUE, entries: PODS }),
    );
    this.#ways = this.#held(
      createMap({ kind: 'lpm', name: 'polder_ways', keySize: WAY_KEY, valueSize: WAY_VALUE, entries: WAYS }),
    );
    this.#fromPod = this.#held(loadProgram('polder_pod', fromPod(this.#pods, this.#ways)));
    this.#fromNetwork = this.#held(loadProgram('polder_net', fromNetwork(this.#pods)));
  }

  #held(fd: number): number {
    this.#stack.defer(() => closeFd(fd));
    return fd;
  }

  /** Makes it so. What is no longer true goes first, so that nothing is led astray. @throws SystemError */
  set({ pods, ways, uplinks }: FastPathContent): void {
    const wanted = new Map([...pods.values()].map(({ ifindex }) => [ifindex, this.#fromPod]));
    for (const ifindex of uplinks) wanted.set(ifindex, this.#fromNetwork);
    for (const [ifindex, { program }] of this.#links) if (wanted.get(ifindex) !== program) this.#detach(ifindex);
    fill(
      this.#pods,
      POD_KEY,
      [...pods].map(([addr, entry]) => [podKey(addr), podValue(entry)]),
    );
    fill(
      this.#ways,
      WAY_KEY,
      [...ways].map(([to, entry]) => [wayKey(to), wayValue(entry)]),
    );
    for (const [ifindex, program] of wanted) this.#attach(ifindex, program);
  }

  #attach(ifindex: number, program: number): void {
    if (this.#links.has(ifindex)) return;
    try {
      this.#links.set(ifindex, { program, fd: attachIngress(program, ifindex) });
    } catch (error) {
      // A pod that went in between.
      if (!(error instanceof SystemError && error.code === 'ENODEV')) throw error;
    }
  }

  #detach(ifindex: number): void {
    const link = this.#links.get(ifindex);
    this.#links.delete(ifindex);
    if (link) closeFd(link.fd);
  }

  [Symbol.dispose](): void {
    for (const ifindex of [...this.#links.keys()]) this.#detach(ifindex);
    this.#stack.dispose();
  }
}

/** Reads what is in the map and changes only what differs. */
function fill(map: number, keySize: number, wanted: readonly (readonly [Uint8Array, Uint8Array])[]): void {
  const want = new Map(wanted.map(([key, value]) => [key.join(), { key, value }]));
  for (const key of keysOf(map, keySize)) if (!want.has(key.join())) deleteElement(map, key);
  for (const { key, value } of want.values()) {
    if (lookupElement(map, key, value.length)?.join() !== value.join()) updateElement(map, key, value);
  }
}
