/** The network namespace of the process that ran the plugin, and paths as it sees them. */

import { fstatSync, readlinkSync } from 'node:fs';
import { LinkRemover } from '#cni/link-remover.ts';
import type { CallerNetns, PodNetns } from '#cni/plugin.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { type Netns, openNetns } from '#kernel/netns/netns.ts';
import { type KernelNft, openNft } from '#kernel/nft/nft.ts';
import { readSysctl, writeSysctl } from '#kernel/sysctl.ts';
import { PolderError } from '#spec/errors.ts';

const OWN_NETNS = '/proc/thread-self/ns/net';
const OWN_MOUNTS = readlinkSync('/proc/self/ns/mnt');

/** Callers' namespaces for one server: its own is opened once, others for the length of a call. */
export class Callers implements Disposable {
  readonly #own: Netns;
  readonly #netlink: Netlink;
  readonly #remover: LinkRemover;
  readonly #nft: LazyNft;
  /** `net:[4026531840]`: comparing names costs one system call, comparing opened files four. */
  readonly #name = readlinkSync(OWN_NETNS);

  constructor() {
    this.#own = openNetns({ path: OWN_NETNS });
    this.#netlink = openNetlink(this.#own.fd);
    this.#remover = new LinkRemover(() => openNetlink(this.#own.fd));
    this.#nft = new LazyNft(this.#own);
  }

  /** The namespace that the server itself is in. */
  own(): CallerNetns {
    return caller({ ...this.#parts(), pid: process.pid });
  }

  /** Runs `use` with the namespace of the process. @throws PolderError cni-netns if the process is gone. */
  async of<T>(pid: number, netnsOverride: boolean, use: (caller: CallerNetns) => Promise<T>): Promise<T> {
    if (netnsName(pid) === this.#name) {
      return use(caller({ ...this.#parts(), pid, netnsOverride }));
    }
    using netns = openOf(pid);
    using netlink = openNetlink(netns.fd);
    using remover = new LinkRemover(() => openNetlink(netns.fd));
    using nft = new LazyNft(netns);
    return await use(caller({ netns, netlink, remover, nft, pid, here: false, netnsOverride }));
  }

  #parts() {
    return { netns: this.#own, netlink: this.#netlink, remover: this.#remover, nft: this.#nft, here: true };
  }

  [Symbol.dispose](): void {
    this.#remover[Symbol.dispose]();
    this.#netlink.close();
    this.#nft[Symbol.dispose]();
    this.#own.close();
  }
}

/** A context of nftables costs a millisecond: most calls need none, and the server keeps that of its own namespace. */
class LazyNft implements Disposable {
  readonly #netns: Netns;
  #nft: KernelNft | undefined;

  constructor(netns: Netns) {
    this.#netns = netns;
  }

  get(): KernelNft {
    this.#nft ??= openNft(this.#netns);
    return this.#nft;
  }

  [Symbol.dispose](): void {
    this.#nft?.close();
  }
}

interface CallerParts {
  readonly netns: Netns;
  readonly netlink: Netlink;
  readonly remover: LinkRemover;
  readonly nft: LazyNft;
  readonly pid: number;
  /** It is the server's own namespace: no need to enter it. */
  readonly here: boolean;
  readonly netnsOverride?: boolean;
}

function caller({ netns, netlink, remover, nft, pid, here, netnsOverride = false }: CallerParts): CallerNetns {
  const ns = here ? undefined : netns;
  return {
    fd: netns.fd,
    netlink,
    remover,
    get nft() {
      return nft.get();
    },
    seen: (path) => asSeenBy(pid, path),
    within: (fn) => (ns ? inNetns(ns, fn) : fn()),
    openPod: (path) => openPod(path, pid, netns, netnsOverride),
    readSysctl: (name) => readSysctl(name, ns),
    writeSysctl: (name, value) => writeSysctl(name, value, ns),
  };
}

/** @throws PolderError cni-netns if the process is gone. */
function netnsName(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch (error) {
    throw new PolderError('cni-netns', { path: `of process ${pid}`, what: reason(error) }, { cause: error });
  }
}

function openOf(pid: number): Netns {
  try {
    return openNetns({ pid });
  } catch (error) {
    throw new PolderError('cni-netns', { path: `of process ${pid}`, what: reason(error) }, { cause: error });
  }
}

function openPod(path: string, pid: number, host: Netns, netnsOverride: boolean): PodNetns {
  const netns = openPath(path, pid);
  try {
    if (!netnsOverride && sameFile(netns.fd, host.fd)) {
      throw new PolderError('cni-netns', { path, what: 'it is the node’s own' });
    }
    const netlink = openNetlink(netns.fd);
    const close = () => {
      netlink.close();
      netns.close();
    };
    return {
      fd: netns.fd,
      path,
      netlink,
      within: (fn) => inNetns(netns, fn),
      readSysctl: (name) => readSysctl(name, netns),
      writeSysctl: (name, value) => writeSysctl(name, value, netns),
      [Symbol.dispose]: close,
    };
  } catch (error) {
    netns.close();
    if (error instanceof PolderError) throw error;
    throw new PolderError('cni-netns', { path, what: 'it is no network namespace' }, { cause: error });
  }
}

function openPath(path: string, pid: number): Netns {
  try {
    return openNetns({ path: asSeenBy(pid, path) });
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new PolderError('cni-netns', { path, what: gone ? 'it does not exist' : reason(error) }, { cause: error });
  }
}

/** /proc/self is the caller, not us; and the caller may live in another mount namespace. */
function asSeenBy(pid: number, path: string): string {
  const self = /^\/proc\/(?:self|thread-self)\//.exec(path);
  if (self) return `/proc/${pid}/${path.slice(self[0].length)}`;
  return sameMounts(pid) ? path : `/proc/${pid}/root${path}`;
}

function sameMounts(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`) === OWN_MOUNTS;
  } catch {
    return true;
  }
}

function sameFile(a: number, b: number): boolean {
  const x = fstatSync(a);
  const y = fstatSync(b);
  return x.ino === y.ino && x.dev === y.dev;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
