import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { framedStdin } from '#lab/kubelet/stream/attach-session.ts';
import type {
  AttachRequest,
  ExecRequest,
  PortForwardRequest,
  Session,
  StreamBackend,
} from '#lab/kubelet/stream/backend.ts';
import { StreamRefusal } from '#lab/kubelet/stream/backend.ts';
import { processSession } from '#lab/kubelet/stream/process-session.ts';
import { tendSize } from '#lab/kubelet/stream/tend-frames.ts';

/** A kubelet whose containers are processes of this machine, and whose pods' ports are those of loopback. */
export class LocalBackend implements StreamBackend {
  /** Sizes that terminals were given, in order. */
  readonly sizes: string[] = [];
  /** Processes that run now. */
  readonly running = new Set<ChildProcess>();

  readonly #tend: string | undefined;

  /** `tend`: the program that gives terminals; without it there are none. */
  constructor(tend?: string) {
    this.#tend = tend;
  }

  async exec(request: ExecRequest): Promise<Session> {
    if (request.container === 'gone') throw new StreamRefusal(404, 'container not found ("gone")');
    const command = request.tty && this.#tend ? [this.#tend, 'pty', '--', ...request.command] : request.command;
    const [file = '', ...args] = command;
    const child = spawn(file, args, { detached: true, stdio: 'pipe' });
    this.running.add(child);
    child.once('close', () => this.running.delete(child));
    const session = processSession(child, { ...request, stdin: request.stdin || request.tty }, () => kill(child));
    if (!request.tty) return session;
    return {
      ...session,
      stdin: request.stdin ? framedStdin(child.stdin) : undefined,
      resize: (cols, rows) => {
        this.sizes.push(`${cols}x${rows}`);
        child.stdin.write(tendSize(cols, rows));
      },
    };
  }

  attach(request: AttachRequest): Promise<Session> {
    return this.exec({ ...request, command: ['cat'] });
  }

  async portForward({ port }: PortForwardRequest): Promise<Duplex> {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    await once(socket, 'connect');
    return socket;
  }
}

/** The process and all that it started: its process group. */
function kill(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
