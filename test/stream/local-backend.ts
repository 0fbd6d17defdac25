import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type {
  AttachRequest,
  ExecRequest,
  PortForwardRequest,
  Session,
  StreamBackend,
} from '#lab/kubelet/stream/backend.ts';
import { StreamRefusal } from '#lab/kubelet/stream/backend.ts';
import { processSession } from '#lab/kubelet/stream/process-session.ts';

/** A kubelet whose containers are processes of this machine, and whose pods' ports are those of loopback. */
export class LocalBackend implements StreamBackend {
  /** Sizes that terminals were given, in order. */
  readonly sizes: string[] = [];
  /** Processes that run now. */
  readonly running = new Set<ChildProcess>();

  async exec(request: ExecRequest): Promise<Session> {
    if (request.container === 'gone') throw new StreamRefusal(404, 'container not found ("gone")');
    const [file = '', ...args] = request.command;
    const child = spawn(file, args, { detached: true, stdio: 'pipe' });
    this.running.add(child);
    child.once('close', () => this.running.delete(child));
    const session = processSession(child, request, () => kill(child));
    return { ...session, resize: (cols, rows) => this.sizes.push(`${cols}x${rows}`) };
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
