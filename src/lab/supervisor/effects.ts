/** What the supervisor does to the machine, as an interface: the real one here, a fake in the tests. */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { closeFd, listenTcp } from '#kernel/ffi/sockets.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { openNetns } from '#kernel/netns/netns.ts';
import { enterGroup, machineHierarchies } from '#lab/cgroup.ts';
import {
  isAlive,
  type ProcessId,
  processId,
  readPidFile,
  signalProcess,
  startTime,
  writePidFile,
} from '#lab/process.ts';
import type { ListenSpec, ProgramSpec } from '#lab/programs.ts';

/** For what idles most of its life, and there is one of on every node: a young generation of 1 MB saves some 6 MB, one V8 thread 1 MB. */
const SMALL_HEAP = ['--max-semi-space-size=1', '--v8-pool-size=1'];

/** For the one API server and controller: a young generation of 4 MB costs 5 to 10 % of time in a storm of writes, and saves 40 MB. */
export const MIDDLE_HEAP = ['--max-semi-space-size=4'];

/** A process that runs. */
export interface Running {
  readonly id: ProcessId;
  /** ms since the epoch. */
  readonly since: number;
  /** Whether it was found running rather than started. */
  readonly adopted: boolean;
}

export interface Effects {
  /** Starts the program; `ended` is called once when its process has ended, with how. @throws if it cannot start. */
  start(spec: ProgramSpec, ended: (how: string) => void): Running;
  /** The process that an earlier supervisor started, if it still runs; `ended` as above. */
  adopt(spec: ProgramSpec, ended: (how: string) => void): Running | undefined;
  signal(id: ProcessId, signal: NodeJS.Signals): void;
  forget(spec: ProgramSpec): void;
  /** Calls back after `ms`; returns what cancels it. */
  later(ms: number, call: () => void): () => void;
  /** Calls back, perhaps at once, when all files exist; returns what cancels it. */
  whenFiles(files: readonly string[], call: () => void): () => void;
  /** ms of a clock that nobody sets. */
  now(): number;
  /** ms since the epoch. */
  date(): number;
}

export const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** A log that is longer than this when its program starts is put aside as `….1`. Bytes. */
const LOG_LIMIT = 16 * 1024 * 1024;
/** Another's child cannot be waited for; it is looked at this often. Milliseconds. */
const ADOPTED_LOOK_MS = 250;

/** What a lab's programs see of the environment. */
export function programEnv(compileCache: string): NodeJS.ProcessEnv {
  return { PATH, HOME: '/root', NODE_COMPILE_CACHE: compileCache };
}

export class MachineEffects implements Effects {
  readonly #env: NodeJS.ProcessEnv;
  readonly #cgroupRoot: string | undefined;
  readonly #sockets = new Map<string, number>();

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
    this.#cgroupRoot = machineHierarchies().unified;
  }

  start(spec: ProgramSpec, ended: (how: string) => void): Running {
    rotate(spec.logFile);
    const log = openSync(spec.logFile, 'a');
    try {
      const child = this.#spawn(spec, log);
      const id = this.#settle(spec, child);
      child.once('exit', (code, signal) => ended(signal ?? `exit status ${code}`));
      return { id, since: startTime(id), adopted: false };
    } finally {
      closeSync(log);
    }
  }

  #spawn(spec: ProgramSpec, log: number): ChildProcess {
    const sockets = spec.listen.map((listen) => this.#socket(listen));
    const stdio: ('ignore' | number)[] = ['ignore', log, log, ...sockets];
    const [program, args] = commandOf(spec);
    const run = () => spawn(program, args, { stdio, env: this.#env, detached: true, cwd: '/' });
    return spec.netns === undefined ? run() : inNamed(spec.netns, run);
  }

  /** Puts the process where it belongs before it can have started anything itself. */
  #settle(spec: ProgramSpec, child: ChildProcess): ProcessId {
    const id = child.pid === undefined ? undefined : processId(child.pid);
    if (id === undefined) {
      child.once('error', () => {}); // said by the exception
      throw new Error(`Cannot start ${spec.id}: ${commandOf(spec)[0]} does not run`);
    }
    if (this.#cgroupRoot !== undefined) enterGroup(this.#cgroupRoot, spec.cgroup, id.pid);
    writePidFile(spec.pidFile, id);
    return id;
  }

  #socket(listen: ListenSpec): number {
    const key = `${listen.netns ?? ''} ${listen.addr} ${listen.port}`;
    const open = () => listenTcp(listen.addr, listen.port);
    const fd = this.#sockets.get(key) ?? (listen.netns === undefined ? open() : inNamed(listen.netns, open));
    this.#sockets.set(key, fd);
    return fd;
  }

  adopt(spec: ProgramSpec, ended: (how: string) => void): Running | undefined {
    const id = readPidFile(spec.pidFile);
    if (id === undefined) return undefined;
    const timer = setInterval(() => {
      if (isAlive(id)) return;
      clearInterval(timer);
      ended('ended');
    }, ADOPTED_LOOK_MS);
    return { id, since: startTime(id), adopted: true };
  }

  signal(id: ProcessId, signal: NodeJS.Signals): void {
    signalProcess(id, signal);
  }

  forget(spec: ProgramSpec): void {
    rmSync(spec.pidFile, { force: true });
  }

  later(ms: number, call: () => void): () => void {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  }

  whenFiles(files: readonly string[], call: () => void): () => void {
    const missing = files.find((file) => !existsSync(file));
    if (missing === undefined) {
      call();
      return () => {};
    }
    let inner = () => {};
    const watcher = watch(dirname(missing), (_, name) => {
      if (name !== basename(missing) || !existsSync(missing)) return;
      watcher.close();
      inner = this.whenFiles(files, call);
    });
    // It may have come between the look and the watch.
    if (existsSync(missing)) {
      watcher.close();
      return this.whenFiles(files, call);
    }
    return () => {
      watcher.close();
      inner();
    };
  }

  now(): number {
    return performance.now();
  }

  date(): number {
    return Date.now();
  }

  /** Closes the sockets that it keeps for programs. */
  close(): void {
    for (const fd of this.#sockets.values()) closeFd(fd);
    this.#sockets.clear();
  }
}

/** Program and arguments as the process gets them. */
export function commandOf({ entry, args, foreign, netns }: ProgramSpec): [string, string[]] {
  if (foreign) return [entry, [...args]];
  const heap = netns === undefined ? MIDDLE_HEAP : SMALL_HEAP;
  return [process.execPath, ['--disable-warning=ExperimentalWarning', ...heap, entry, ...args]];
}

function inNamed<T>(name: string, run: () => T): T {
  using netns = openNetns({ name });
  return inNetns(netns, run);
}

function rotate(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_LIMIT) renameSync(file, `${file}.1`);
}
