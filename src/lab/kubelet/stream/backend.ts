import type { Duplex, Readable, Writable } from 'node:stream';

/** Which pod a client means: the kubelet's paths name it so, `uid` only where the caller knows it. */
export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

export interface AttachRequest {
  readonly pod: PodRef;
  readonly container: string;
  /** Which of the three streams the client wants; the backend leaves out of the session those that are false. */
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** A terminal: output arrives on stdout only, and `resize` means something. */
  readonly tty: boolean;
}

export interface ExecRequest extends AttachRequest {
  readonly command: readonly string[];
}

export interface PortForwardRequest {
  readonly pod: PodRef;
  readonly port: number;
}

/** How a session ended: the process's exit status (128 + signal number for a signal), or why it never ran. */
export type ExitStatus = { readonly code: number } | { readonly error: string };

/**
 * One running exec or attach.
 *
 * The caller reads `stdout` and `stderr` to their end, honours back-pressure, and ends `stdin` at the client's EOF. It
 * begins to read some time after the process has begun to write: until then the streams must keep what they have
 * (`processSession` makes a session of a child process that does).
 * When the client goes away it calls `kill` exactly as often as it likes: it must be safe after the end, too.
 */
export interface Session {
  readonly stdin?: Writable | undefined;
  readonly stdout?: Readable | undefined;
  readonly stderr?: Readable | undefined;
  /** New size of the terminal in characters; nothing happens without one. */
  resize(cols: number, rows: number): void;
  /** Resolves once, never rejects; stdout and stderr may still hold data when it does. */
  readonly exit: Promise<ExitStatus>;
  /** Exec: ends the process and what it started. Attach: lets go of the streams, the container runs on. */
  kill(): void;
}

/**
 * What the streaming server asks of a kubelet. A rejection ends the request: the client sees the error's message, with
 * the HTTP status of a `StreamRefusal` where it is one (else 500).
 */
export interface StreamBackend {
  exec(request: ExecRequest): Promise<Session>;
  attach(request: AttachRequest): Promise<Session>;
  /**
   * Connects to a port on the pod's own loopback interface, from inside its network namespace. Ending the duplex is
   * the half close of TCP (`allowHalfOpen`). Rejects when nothing listens there.
   */
  portForward(request: PortForwardRequest): Promise<Duplex>;
}

/** A request that the kubelet turns down: pod or container unknown (404), not running yet (400 or 409), … */
export class StreamRefusal extends Error {
  override readonly name = 'StreamRefusal';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
