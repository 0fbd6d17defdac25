import { type AttachRequest, type ExecRequest, type PodRef, StreamRefusal } from '#lab/kubelet/stream/backend.ts';

/** What a client asks the kubelet to stream. */
export type StreamRequest =
  | { readonly kind: 'exec'; readonly request: ExecRequest }
  | { readonly kind: 'attach'; readonly request: AttachRequest }
  | { readonly kind: 'port-forward'; readonly pod: PodRef; readonly ports: readonly number[] };

/**
 * Reads the kubelet's paths: `/exec/{ns}/{pod}[/{uid}]/{container}`, `/attach/…` the same, `/portForward/{ns}/{pod}[/{uid}]`.
 * The options may have the API's names (`stdin`, `stdout`, `stderr`) or the kubelet's (`input`, `output`, `error`).
 *
 * @throws StreamRefusal with status 404 for another path, 400 for options that make no session.
 */
export function parseStreamRequest(target: string): StreamRequest {
  const { path, query } = parseTarget(target);
  const [verb, ...names] = path;
  switch (verb) {
    case 'exec':
      return { kind: 'exec', request: { ...parseAttach(names, query), command: parseCommand(query) } };
    case 'attach':
      return { kind: 'attach', request: parseAttach(names, query) };
    case 'portForward':
      return { kind: 'port-forward', pod: parsePod(names), ports: parsePorts(query) };
    default:
      throw notFound();
  }
}

function parseTarget(target: string): { path: readonly string[]; query: URLSearchParams } {
  try {
    const url = new URL(target, 'http://kubelet');
    return { path: url.pathname.split('/').slice(1).map(decodeURIComponent), query: url.searchParams };
  } catch {
    throw new StreamRefusal(400, 'the request path is malformed');
  }
}

function parseAttach(names: readonly string[], query: URLSearchParams): AttachRequest {
  const container = names.at(-1);
  if (container === undefined || container === '') throw notFound();
  const pod = parsePod(names.slice(0, -1));
  const tty = flag(query, 'tty');
  const stdin = flag(query, 'stdin', 'input');
  const stdout = flag(query, 'stdout', 'output');
  // A terminal has one output: the real kubelet drops the wish for a second, too.
  const stderr = flag(query, 'stderr', 'error') && !tty;
  if (!stdin && !stdout && !stderr)
    throw new StreamRefusal(400, 'you must specify at least 1 of stdin, stdout, stderr');
  return { pod, container, stdin, stdout, stderr, tty };
}

function parsePod(names: readonly string[]): PodRef {
  const [namespace, name, uid, ...rest] = names;
  if (namespace === undefined || name === undefined || name === '' || rest.length > 0) throw notFound();
  return uid === undefined ? { namespace, name } : { namespace, name, uid };
}

function parseCommand(query: URLSearchParams): readonly string[] {
  const command = query.getAll('command');
  if (command.length === 0) throw new StreamRefusal(400, 'you must specify at least one command');
  return command;
}

/**
 * `ports=80,81` as the API names them, or `port=80&port=81` as the kubelet does: only the WebSocket channels need them,
 * SPDY names the port for each stream.
 */
function parsePorts(query: URLSearchParams): readonly number[] {
  return [...query.getAll('port'), ...query.getAll('ports')].flatMap((value) => value.split(',').map(parsePort));
}

/** @throws StreamRefusal (400) when `text` is no TCP port. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new StreamRefusal(400, `unable to parse ${JSON.stringify(text)} as a port`);
  return port;
}

/** A boolean as the API machinery reads one from a query: there, and neither `0` nor `false`. */
function flag(query: URLSearchParams, ...names: readonly string[]): boolean {
  return names.some((name) => {
    const value = query.get(name)?.toLowerCase();
    return value !== undefined && value !== '0' && value !== 'false';
  });
}

function notFound(): StreamRefusal {
  return new StreamRefusal(404, '404 page not found');
}
