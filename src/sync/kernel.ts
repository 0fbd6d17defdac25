/** The handles that sync works through, one network namespace in all of them. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import type { Nft } from '#kernel/nft/handle.ts';
import { readSysctl, writeSysctl } from '#kernel/sysctl.ts';
import type { Wireguard } from '#kernel/wireguard/handle.ts';

export interface SysctlPort {
  /** Undefined if the kernel has none of this name. */
  read(name: string): string | undefined;
  /** @throws Error if the kernel refuses the value. */
  write(name: string, value: string): void;
}

export interface Kernel {
  readonly netlink: Netlink;
  readonly nft: Nft;
  readonly sysctl: SysctlPort;
  readonly wireguard: Wireguard;
}

/** Kernel parameters of the namespace `netns` (of this thread's own if absent). */
export function kernelSysctls(netns?: number): SysctlPort {
  return {
    read: (name) => {
      try {
        return readSysctl(name, netns);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      }
    },
    write: (name, value) => writeSysctl(name, value, netns),
  };
}

/** Kernel parameters in memory, for tests. */
export function fakeSysctls(
  values: Record<string, string> = {},
): SysctlPort & { readonly values: Record<string, string> } {
  return {
    values,
    read: (name) => values[name],
    write: (name, value) => {
      values[name] = value;
    },
  };
}
