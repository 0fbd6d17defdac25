/** What can be done with the BIRD of one network namespace; the real daemon and the fake both can. */

import type { Reply } from '#wire/bird/reply.ts';

/** A connection to a running daemon: as long as it is open the daemon lives. */
export interface BirdControl extends Disposable {
  /** Sends one command. @throws BirdGone if the daemon ends or does not answer in time. */
  ask(command: string): Promise<Reply>;
  /** Called with each line that the daemon says unasked, as `echo` has told it to. */
  onSaid(handler: (text: string) => void): void;
  /** Resolves when the daemon has closed the connection. */
  readonly closed: Promise<void>;
  close(): void;
}

export interface Bird {
  /** The configuration file as it is on disk; undefined if there is none. */
  readConf(): string | undefined;
  /**
   * Writes the configuration, if BIRD can read it, so that the file is whole at every instant.
   * @returns what is wrong with it, in BIRD's words; then the file is as it was.
   */
  writeConf(text: string): Promise<string | undefined>;
  removeConf(): void;
  /** Puts a log aside that has become long; the daemon goes on writing. */
  trimLog(): void;
  /** Whether a change was loaded by which routes have not been judged anew yet; outlives this process. */
  owes: boolean;
  /** The running daemon; undefined if none runs. */
  connect(): Promise<BirdControl | undefined>;
  /**
   * Starts a daemon that outlives this process. To `recover` is to begin in graceful restart: routes that the kernel has
   * stay until the neighbours have sent theirs, and nothing is told before. @throws BirdGone if it does not come up, with
   * its last words.
   */
  start(how: { readonly recover: boolean }): Promise<BirdControl>;
}

/** The daemon ended, or does not answer. The message is one sentence without a full stop. */
export class BirdGone extends Error {
  override readonly name = 'BirdGone';
}
