/** BIRD 2 as a process: checked, started, found again. It is nobody's child: it goes on when its starter ends. */

import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { connectBird } from '#kernel/bird/control.ts';
import { type Bird, type BirdControl, BirdGone } from '#kernel/bird/handle.ts';
import { inNetns, type NetnsRef } from '#kernel/netns/enter.ts';

export interface BirdFiles {
  /** Folder of its configuration and log; made if it is not there. */
  readonly dir: string;
  /** Path of its control socket: at most 107 bytes. */
  readonly socket: string;
  /** Where it runs; absent: in the network namespace of this thread. */
  readonly netns?: NetnsRef;
  /** The program. Default `bird`, looked for in PATH. */
  readonly program?: string;
}

const START_MS = 10_000;
const LOOK_MS = 10;
/** A log that is longer is put aside. Bytes. */
const LOG_LIMIT = 4 * 1024 * 1024;
const LINE_LIMIT = 300;

export function birdAt(files: BirdFiles): Bird {
  mkdirSync(files.dir, { recursive: true, mode: 0o700 });
  return new RealBird(files);
}

class RealBird implements Bird {
  readonly #conf: string;
  readonly #log: string;
  /** There as long as it owes. */
  readonly #debt: string;
  readonly #socket: string;
  readonly #program: string;
  readonly #netns: NetnsRef | undefined;

  constructor({ dir, socket, netns, program = 'bird' }: BirdFiles) {
    this.#netns = netns;
    this.#conf = `${dir}/bird.conf`;
    this.#log = `${dir}/bird.log`;
    this.#debt = `${dir}/reload-owed`;
    this.#socket = socket;
    this.#program = program;
  }

  readConf(): string | undefined {
    try {
      return readFileSync(this.#conf, 'utf8');
    } catch {
      return undefined;
    }
  }

  async writeConf(text: string): Promise<string | undefined> {
    const draft = `${this.#conf}.new`;
    // It may hold passwords.
    rmSync(draft, { force: true });
    writeFileSync(draft, text, { mode: 0o600 });
    const wrong = await this.#check(draft);
    if (wrong === undefined) renameSync(draft, this.#conf);
    return wrong;
  }

  removeConf(): void {
    rmSync(this.#conf, { force: true });
    this.owes = false;
  }

  get owes(): boolean {
    return existsSync(this.#debt);
  }

  set owes(owes: boolean) {
    if (owes) writeFileSync(this.#debt, '');
    else rmSync(this.#debt, { force: true });
  }

  async #check(file: string): Promise<string | undefined> {
    const child = spawn(this.#program, ['-p', '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [said, status] = await Promise.all([textOf(child), statusOf(child)]);
    if (status === 0) return undefined;
    return lastLine(said).replace(`${file}:`, 'bird.conf:') || `${this.#program} -p ends with status ${status}`;
  }

  connect(): Promise<BirdControl | undefined> {
    return connectBird(this.#socket);
  }

  async start({ recover }: { readonly recover: boolean }): Promise<BirdControl> {
    const child = this.#spawn(recover ? ['-R'] : []);
    let ended: string | undefined;
    child.once('error', (error) => {
      ended = 'code' in error && error.code === 'ENOENT' ? MISSING : String(error);
    });
    child.once('exit', (code, signal) => {
      ended = `BIRD does not start (${signal ?? `status ${code}`}): ${lastLine(this.#tail()) || 'it says nothing'}`;
    });
    for (let waited = 0; waited < START_MS; waited += LOOK_MS) {
      await delay(LOOK_MS);
      if (ended !== undefined) throw new BirdGone(ended);
      const control = await this.connect();
      if (control) return control;
    }
    throw new BirdGone(`BIRD does not open its control socket within ${START_MS / 1000} s`);
  }

  #spawn(more: readonly string[]): ChildProcess {
    this.trimLog();
    const log = openSync(this.#log, 'a', 0o600);
    try {
      const args = ['-f', ...more, '-c', this.#conf, '-s', this.#socket];
      const run = () => spawn(this.#program, args, { stdio: ['ignore', log, log], detached: true, cwd: '/' });
      const child = this.#netns === undefined ? run() : inNetns(this.#netns, run);
      child.unref();
      return child;
    } finally {
      closeSync(log);
    }
  }

  /** A copy, since the daemon keeps its file open: it appends, so that cutting it short is safe. */
  trimLog(): void {
    if ((statSync(this.#log, { throwIfNoEntry: false })?.size ?? 0) <= LOG_LIMIT) return;
    copyFileSync(this.#log, `${this.#log}.1`);
    truncateSync(this.#log);
  }

  #tail(): string {
    try {
      return readFileSync(this.#log, 'utf8').slice(-4096);
    } catch {
      return '';
    }
  }
}

const MISSING = 'BIRD is not installed on this node: there is no program bird';

async function textOf({ stdout, stderr }: ChildProcess): Promise<string> {
  const pieces = await Promise.all([stdout, stderr].map((stream) => stream?.toArray() ?? []));
  return Buffer.concat(pieces.flat()).toString();
}

function statusOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject('code' in error && error.code === 'ENOENT' ? new BirdGone(MISSING) : error));
    child.once('exit', (code) => resolve(code));
  });
}

function lastLine(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').slice(0, LINE_LIMIT);
}
