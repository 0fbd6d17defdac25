/** One start of a container: its folder, the process that tends it, and what is known of it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readJson, readText, writeWhole } from '#lab/kubelet/runtime/disk.ts';
import type { Layout } from '#lab/kubelet/runtime/layout.ts';
import { type OciRuntime, startFailure } from '#lab/kubelet/runtime/oci-runtime.ts';
import { isAlive, readPid } from '#lab/kubelet/runtime/process.ts';
import { CLEAN_ENV } from '#lab/kubelet/runtime/run.ts';

/** Written before the container is started. */
export interface ContainerMeta {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  /** 0 for the first start; what Kubernetes calls the restart count. */
  readonly attempt: number;
  readonly sandboxId: string;
  readonly image: string;
  readonly imageId: string;
  readonly createdAt: string;
}

export interface ContainerExit {
  readonly code: number;
  /** 0: it ended by itself. */
  readonly signal: number;
  readonly finishedAt: string;
  /** `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerStatusUnknown`. */
  readonly reason: string;
  readonly message?: string;
}

export interface ContainerRecord extends ContainerMeta {
  /** Of the container's first process. */
  readonly pid?: number;
  readonly startedAt?: string;
  readonly exit?: ContainerExit;
}

export interface ContainerPlace {
  readonly uid: string;
  readonly name: string;
  readonly attempt: number;
}

export interface StartOptions {
  readonly tend: string;
  readonly runtime: OciRuntime;
  readonly pausePid: number;
  /** Lower layers, topmost first. */
  readonly layers: readonly string[];
  /** Copied over them. */
  readonly seed?: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
}

/** Makes the bundle. @throws Error of the file system */
export function makeBundle(layout: Layout, uid: string, meta: ContainerMeta, spec: object): string {
  const dir = layout.container(uid, meta.name, meta.attempt);
  mkdirSync(join(dir, 'fs'), { recursive: true });
  mkdirSync(join(dir, 'rootfs'), { recursive: true });
  writeWhole(join(dir, 'config.json'), JSON.stringify(spec));
  writeWhole(join(dir, 'meta.json'), JSON.stringify(meta));
  writeWhole(join(dir, 'termination-log'), '', 0o666);
  return dir;
}

/** Colons part the layers of an overlay's option and commas the options: both are escaped by a backslash. */
export function lowerdir(layers: readonly string[]): string {
  return layers.map((layer) => layer.replace(/[\\:,]/g, '\\$&')).join(':');
}

/**
 * Has the container started by a process of its own that outlives the kubelet. Resolves when it runs or could not be
 * started; its exit file says the rest.
 */
export function startContainer(layout: Layout, uid: string, meta: ContainerMeta, options: StartOptions): Promise<void> {
  const socket = layout.attachSocket(meta.id);
  mkdirSync(dirname(socket), { recursive: true, mode: 0o700 });
  const complaints = openSync(join(layout.container(uid, meta.name, meta.attempt), 'tend.log'), 'a', 0o600);
  const child = spawn(options.tend, tendArgs(layout, uid, meta, socket, options), {
    stdio: ['ignore', 'pipe', complaints],
    env: CLEAN_ENV,
    detached: true,
    cwd: '/',
  });
  closeSync(complaints);
  child.unref();
  return firstWord(child);
}

function tendArgs(layout: Layout, uid: string, meta: ContainerMeta, socket: string, options: StartOptions): string[] {
  return [
    'run',
    ...['--id', meta.id],
    ...['--dir', layout.container(uid, meta.name, meta.attempt)],
    ...['--log', layout.log(uid, meta.name, meta.attempt)],
    ...['--exit', layout.exit(meta.id)],
    ...['--runtime', options.runtime.program, '--runtime-root', options.runtime.root],
    ...['--socket', socket],
    ...['--mount-ns', `/proc/${options.pausePid}/ns/mnt`],
    ...['--lower', lowerdir(options.layers)],
    ...(options.seed === undefined ? [] : ['--seed', options.seed]),
    ...(options.tty ? ['--tty'] : []),
    ...(options.stdin ? ['--stdin'] : []),
    ...(options.stdinOnce ? ['--stdin-once'] : []),
  ];
}

/** Resolves at the first line, or when the process is gone. */
function firstWord(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.stdout?.once('data', () => resolve());
    child.once('close', () => resolve());
  });
}

/** What disk and process table know of one start; undefined if it was never begun. */
export function readContainer(layout: Layout, place: ContainerPlace): ContainerRecord | undefined {
  const dir = layout.container(place.uid, place.name, place.attempt);
  const meta = readJson<ContainerMeta>(join(dir, 'meta.json'));
  if (meta === undefined) return undefined;
  const startedAt = readText(join(dir, 'started'));
  const pid = readPid(readText(join(dir, 'pid')));
  const exit = readExit(layout, dir, meta);
  return {
    ...meta,
    ...(startedAt === undefined || pid === undefined ? {} : { startedAt, pid }),
    ...(exit === undefined ? {} : { exit }),
  };
}

/** Known only once the process that tends it wrote it down; when that is dead without a word, it is lost. */
function readExit(layout: Layout, dir: string, meta: ContainerMeta): ContainerExit | undefined {
  const known = readJson<ContainerExit>(join(dir, 'exit.json'));
  if (known !== undefined) return known;
  const raw = readText(layout.exit(meta.id));
  if (raw !== undefined) return exitFrom(raw, dir);
  const tend = readPid(readText(join(dir, 'tend.pid')));
  if (tend !== undefined && isAlive(tend, meta.id)) return undefined;
  const late = readText(layout.exit(meta.id)); // it may have ended between the two looks
  return late === undefined ? lostExit() : exitFrom(late, dir);
}

function lostExit(): ContainerExit {
  const message = 'The container could not be located when the kubelet looked for it';
  return { code: 137, signal: 9, finishedAt: new Date().toISOString(), reason: 'ContainerStatusUnknown', message };
}

/** The exit file: "CODE SIGNAL TIME [failed]". */
export function exitFrom(text: string, dir: string): ContainerExit {
  const [code = '1', signal = '0', finishedAt = '', failed] = text.trim().split(' ');
  const exit = { code: Number(code), signal: Number(signal), finishedAt };
  if (failed === undefined) return { ...exit, reason: exit.code === 0 ? 'Completed' : 'Error' };
  return { ...exit, reason: 'StartError', message: `failed to start container: ${startFailure(dir)}` };
}

/** Fixes how it ended, with what only the kubelet could find out (out of memory, its termination message). */
export function writeExit(layout: Layout, place: ContainerPlace, exit: ContainerExit): void {
  writeWhole(join(layout.container(place.uid, place.name, place.attempt), 'exit.json'), JSON.stringify(exit));
}

/** Numbers of the starts that have a folder, ascending. */
export function attemptsOf(layout: Layout, uid: string, name: string): number[] {
  try {
    const entries = readdirSync(join(layout.pod(uid), 'containers', name));
    return entries
      .filter((entry) => /^\d+$/.test(entry))
      .map(Number)
      .sort((a, b) => a - b);
  } catch {
    return [];
  }
}
