/** What a router consists of, beside its place in the network. */

import type { Router } from '#lab/tor/routers.ts';
import type { Prefix } from '#net/prefix.ts';

export interface RouterPlace {
  readonly router: Router;
  /** Folder of its files and sockets. */
  readonly dir: string;
  /** Networks that the lab's nodes stand in: whoever speaks BGP from there is heard. */
  readonly nodes: readonly Prefix[];
}

export interface RouterProgram {
  readonly name: string;
  readonly binary: string;
  readonly args: readonly string[];
}

export interface RouterSetup {
  /** By name in the folder: each in the daemon's own format. */
  readonly files: Readonly<Record<string, string>>;
  readonly programs: readonly RouterProgram[];
  /** The user that the programs become, and that has the folder; absent: root. */
  readonly user?: string;
  /** Debian's packages, by the programs that show that they are there. */
  readonly needs: Readonly<Record<string, string>>;
}
