/** The network namespace of the process that ran the plugin, and paths as it sees them. */

import { fstatSync, readlinkSync } from 'node:fs';
import { LinkRemover } from '#cni/link-remover.ts';
import type { CallerNetns, PodNetns } from '#cni/plugin.ts';
import { ownNetnsCookie } from '#kernel/ffi/sockets.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openBriefNetlink, openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { type Netns, openNetns } from '#kernel/netns/netns.ts';
import { type KernelNft, openNft } from '#kernel/nft/nft.ts';
import { KeptSysctls, readSysctl, writeSysctl } from '#kernel/sysctl.ts';
import { PolderError } from '#spec/errors.ts';

const OWN_NETNS = '/proc/thread-self/ns/net';
const OWN_MOUNTS = readlinkSync('/proc/self/ns/mnt');

/** Who runs a plugin. */
export interface CallerProcess {
  readonly pid: number;
  /** Of its network namespace (`netnsCookie`), if that is known: a fraction of the time of a look into /proc. */
  readonly netnsCookie?: bigint | undefined;
  /** Whether its root directory, and all that is mounted below, is ours, if that is known. */
  readonly sameRoot?: boolean | undefined;
}

/** Callers' namespaces for one server: its own is opened once, others for the length of a call. */
export class Callers implements Disposable {
  readonly #parts: CallerParts;
  readonly #forwarding = new KeptSysctls();
  readonly #cookie = ownNetnsCookie();
  /** `net:[4026531840]`: comparing names costs one system call, comparing opened files four. */
  readonly #name = readlinkSync(OWN_NETNS);

  constructor() {
    const netns = openNetns({ path: OWN_NETNS });
    const remover = new LinkRemover(() => openNetlink(netns.fd));
    const netlink = openNetlink(netns.fd);
    const forwarding = this.#forwarding;
    const [netnsFile, nft] = [new FileId(netns.fd), new LazyNft(netns)];
    this.#parts = { netns, netnsFile, netlink, remover, nft, forwarding, here: true };
  }

  /** The namespace that the server itself is in. */
  own(): CallerNetns {
    return new Caller(this.#parts, process, false);
  }

  /** Runs `use` with the namespace of the process. @throws PolderError cni-netns if the process is gone. */
  async of<T>(who: CallerProcess, netnsOverride: boolean, use: (caller: CallerNetns) => Promise<T>): Promise<T> {
    if (this.#isHere(who)) return use(new Caller(this.#parts, who, netnsOverride));
    using netns = openOf(who.pid);
    using netlink = openNetlink(netns.fd);
    using remover = new LinkRemover(() => openNetlink(netns.fd));
    using nft = new LazyNft(netns);
    const [netnsFile, forwarding] = [new FileId(netns.fd), this.#forwarding];
    const parts = { netns, netnsFile, netlink, remover, nft, forwarding, here: false };
    return await use(new Caller(parts, who, netnsOverride));
  }

  #isHere(who: CallerProcess): boolean {
    const { netnsCookie } = who;
    const known = netnsCookie !== undefined && this.#cookie !== undefined;
    return known ? netnsCookie === this.#cookie : netnsName(who.pid) === this.#name;
  }

  [Symbol.dispose](): void {
    const { remover, netlink, nft, netns } = this.#parts;
    remover[Symbol.dispose]();
    netlink.close();
    nft[Symbol.dispose]();
    this.#forwarding[Symbol.dispose]();
    netns.close();
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

/** What nearly every ADD looks at. */
const FORWARDING: ReadonlySet<string> = new Set(['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']);

/** What calls from one namespace share. */
interface CallerParts {
  readonly netns: Netns;
  readonly netnsFile: FileId;
  readonly netlink: Netlink;
  readonly remover: LinkRemover;
  readonly nft: LazyNft;
  /** Of the server's own namespace. */
  readonly forwarding: KeptSysctls;
  /** It is the server's own namespace: no need to enter it. */
  readonly here: boolean;
}

class Caller implements CallerNetns {
  readonly #parts: CallerParts;
  readonly #who: CallerProcess;
  readonly #netnsOverride: boolean;
  /** Undefined until a path is asked for. */
  #sameMounts: boolean | undefined;

  constructor(parts: CallerParts, who: CallerProcess, netnsOverride: boolean) {
    this.#parts = parts;
    this.#who = who;
    this.#netnsOverride = netnsOverride;
  }

  get fd(): number {
    return this.#parts.netns.fd;
  }

  get netlink(): Netlink {
    return this.#parts.netlink;
  }

  get remover(): LinkRemover {
    return this.#parts.remover;
  }

  get nft(): KernelNft {
    return this.#parts.nft.get();
  }

  /** /proc/self is the caller, not us; and the caller may live in another mount namespace. */
  seen(path: string): string {
    const self = /^\/proc\/(?:self|thread-self)\//.exec(path);
    if (self) return `/proc/${this.#who.pid}/${path.slice(self[0].length)}`;
    this.#sameMounts ??= this.#who.sameRoot ?? sameMounts(this.#who.pid);
    return this.#sameMounts ? path : `/proc/${this.#who.pid}/root${path}`;
  }

  within<T>(fn: () => T): T {
    return this.#parts.here ? fn() : inNetns(this.#parts.netns, fn);
  }

  openPod(path: string): PodNetns {
    const netns = openPath(path, this.seen(path));
    try {
      if (!this.#netnsOverride && this.#parts.netnsFile.is(netns.fd)) {
        throw new PolderError('cni-netns', { path, what: 'it is the node’s own' });
      }
      return new Pod(path, netns);
    } catch (error) {
      netns.close();
      if (error instanceof PolderError) throw error;
      throw new PolderError('cni-netns', { path, what: 'it is no network namespace' }, { cause: error });
    }
  }

  readSysctl(name: string): string {
    const { here, forwarding, netns } = this.#parts;
    if (here && FORWARDING.has(name)) return forwarding.read(name);
    return readSysctl(name, here ? undefined : netns);
  }

  writeSysctl(name: string, value: string): void {
    writeSysctl(name, value, this.#parts.here ? undefined : this.#parts.netns);
  }
}

class Pod implements PodNetns {
  readonly path: string;
  readonly netlink: Netlink;
  readonly #netns: Netns;

  /** Owns the namespace's descriptor, if it succeeds. @throws SystemError if it is of something else. */
  constructor(path: string, netns: Netns) {
    this.path = path;
    this.#netns = netns;
    this.netlink = openBriefNetlink(netns.fd);
  }

  get fd(): number {
    return this.#netns.fd;
  }

  within<T>(fn: () => T): T {
    return inNetns(this.#netns, fn);
  }

  readSysctl(name: string): string {
    return readSysctl(name, this.#netns);
  }

  writeSysctl(name: string, value: string): void {
    writeSysctl(name, value, this.#netns);
  }

  [Symbol.dispose](): void {
    this.netlink.close();
    this.#netns.close();
  }
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

/** @param path as the caller says it. @param seen as this process can open it */
function openPath(path: string, seen: string): Netns {
  try {
    return openNetns({ path: seen });
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new PolderError('cni-netns', { path, what: gone ? 'it does not exist' : reason(error) }, { cause: error });
  }
}

function sameMounts(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`) === OWN_MOUNTS;
  } catch {
    return true;
  }
}

/** What an open descriptor leads to. */
class FileId {
  readonly #ino: number;
  readonly #dev: number;

  constructor(fd: number) {
    const { ino, dev } = fstatSync(fd);
    this.#ino = ino;
    this.#dev = dev;
  }

  is(fd: number): boolean {
    const { ino, dev } = fstatSync(fd);
    return ino === this.#ino && dev === this.#dev;
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
