import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { OciRuntime } from '#lab/kubelet/runtime/oci-runtime.ts';
import { readPid } from '#lab/kubelet/runtime/process.ts';
import { CLEAN_ENV } from '#lab/kubelet/runtime/run.ts';
import { framedStdin } from '#lab/kubelet/stream/attach-session.ts';
import type { ExecRequest, ExitStatus, Session } from '#lab/kubelet/stream/backend.ts';
import { processSession } from '#lab/kubelet/stream/process-session.ts';
import { tendSize } from '#lab/kubelet/stream/tend-frames.ts';

/** Where a command is to run. */
export interface ExecPlace {
  readonly runtime: OciRuntime;
  /** The runtime's name for the container. */
  readonly containerId: string;
  /** The program `tend`, which gives a command a terminal. */
  readonly tend: string;
  /** An existing folder for a short-lived file. */
  readonly directory: string;
}

/** Exit status of a command that could not be started, as shells have it. */
const NOT_FOUND = 127;
const NOT_STARTED = 126;

/**
 * Runs a command in a container by the OCI runtime, with pipes or on a terminal. A process of ours, the runtime's or
 * `tend`, stays as long as the command does and passes its streams and its exit status on. Killing the session kills the command's process group.
 *
 * A command that cannot be started ends with 126 or 127; why is said on its stderr.
 */
export function execSession(place: ExecPlace, request: ExecRequest): Session {
  const files = execFiles(place.directory);
  const child = startExec(place, request, files);
  const wanted = request.tty ? { stdin: true, stdout: request.stdout, stderr: false } : request;
  const session = processSession(child, wanted, () => void killCommand(child, files.pid));
  const exit = session.exit.then((status) => explain(status, files)).finally(() => forget(files));
  return request.tty ? { ...session, ...terminal(child, request), exit } : { ...session, exit };
}

/** What the runtime writes down, the command's PID as soon as it has one and its own failures; and a terminal's way. */
interface ExecFiles {
  readonly pid: string;
  readonly log: string;
  /** The socket over which a terminal comes. */
  readonly console: string;
}

function execFiles(directory: string): ExecFiles {
  // Short: the path of a socket has room for 107 bytes.
  const base = join(directory, randomBytes(6).toString('hex'));
  return { pid: `${base}.pid`, log: `${base}.log`, console: `${base}.tty` };
}

async function forget(files: ExecFiles): Promise<void> {
  await Promise.all(Object.values(files).map((file) => rm(file, { force: true })));
}

/** With a terminal the runtime leaves at once and hands it to `tend`, which stays with the command in its stead. */
function startExec({ runtime, tend, containerId }: ExecPlace, request: ExecRequest, files: ExecFiles): ChildProcess {
  const global = ['--root', runtime.root, '--log', files.log];
  const exec = ['exec', '--pid-file', files.pid];
  const terminal = ['--detach', '--tty', '--env', 'TERM=xterm', '--console-socket', files.console];
  const line = [...global, ...exec, ...(request.tty ? terminal : []), containerId, ...request.command];
  const before = ['exec', '--socket', files.console, '--pid-file', files.pid, '--', runtime.program];
  const [file, args] = request.tty ? [tend, [...before, ...line]] : [runtime.program, line];
  return spawn(file, args, { stdio: 'pipe', env: CLEAN_ENV, cwd: '/' });
}

/** On a terminal stdin and sizes share one channel; it stays open when the client's stdin ends, as terminals do. */
function terminal(child: ChildProcess, request: ExecRequest): Pick<Session, 'stdin' | 'resize'> {
  const channel = child.stdin;
  if (channel === null) return { resize: () => undefined };
  return {
    stdin: request.stdin ? framedStdin(channel) : undefined,
    resize: (cols, rows) => void channel.write(tendSize(cols, rows)),
  };
}

/** Ends the command's process group; the runtime's process follows. Before it has begun, it is waited for. */
async function killCommand(child: ChildProcess, pidFile: string): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const pid = await commandPid(pidFile);
    if (pid !== undefined) {
      killGroup(pid);
      child.stdin?.destroy();
      return;
    }
    await pause(20);
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

async function commandPid(pidFile: string): Promise<number | undefined> {
  return readPid(await readFile(pidFile, 'utf8').catch(() => undefined));
}

/** The runtime's own failures look like an exit status of the command; that it never had a PID tells them apart. */
async function explain(status: ExitStatus, files: ExecFiles): Promise<ExitStatus> {
  if ('error' in status || status.code === 0 || (await commandPid(files.pid)) !== undefined) return status;
  const log = await readFile(files.log, 'utf8').catch(() => '');
  return { code: /not found|no such file/i.test(log) ? NOT_FOUND : NOT_STARTED };
}
