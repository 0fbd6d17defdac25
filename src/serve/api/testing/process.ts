/** The API server as the process that users run, for tests that kill it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { TestClient } from '#serve/api/testing/server.ts';

const ENTRY = join(import.meta.dirname, '../../../cmd/apiserver.ts');

export interface ServerProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly port: number;
  readonly client: TestClient;
  /** Sends the signal and waits for the end. @returns exit status, or the signal's name */
  stop(signal: NodeJS.Signals): Promise<number | string>;
}

export interface StartOptions {
  /** Of Node. */
  readonly flags?: readonly string[];
  /** Handed on as descriptors 3, 4, … */
  readonly fds?: readonly number[];
  /** Process of whose mount namespace the server is part: its `dataDir` is a path there, and `seenAs` is the same here. */
  readonly mountsOf?: { readonly pid: number; readonly seenAs: string };
}

/**
 * Starts the server.
 * @param listen flags that say where
 */
export async function startProcess(
  dataDir: string,
  listen: readonly string[],
  { flags = [], fds = [], mountsOf }: StartOptions = {},
): Promise<ServerProcess> {
  const wrap = mountsOf === undefined ? [] : ['nsenter', '--target', `${mountsOf.pid}`, '--mount'];
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', ...flags];
  const [program = '', ...args] = [...wrap, ...node, ENTRY, '--data', dataDir, ...listen];
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe', ...fds],
    // As in a lab: a server that is started again need not be compiled again.
    env: { ...process.env, NODE_COMPILE_CACHE: join(dataDir, 'compiled') },
  });
  // A test that is cut off leaves no server behind.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  const port = await readyPort(child);
  const client = new TestClient(mountsOf?.seenAs ?? dataDir, port);
  const stop = async (signal: NodeJS.Signals): Promise<number | string> => {
    client[Symbol.dispose]();
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode ?? 0;
    child.kill(signal);
    const [code, name] = await once(child, 'exit');
    return typeof code === 'number' ? code : String(name);
  };
  return { child, port, client, stop, [Symbol.asyncDispose]: async () => void (await stop('SIGKILL')) };
}

/** The port that its log names. @throws when it ends instead */
async function readyPort(child: ChildProcess): Promise<number> {
  if (child.stderr === null) throw new TypeError('Cannot read the log of the server');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(line);
    const port = /"port":(\d+)}.*"API server ready"/.exec(line)?.[1];
    if (port === undefined) continue;
    child.stderr.resume();
    return Number(port);
  }
  throw new Error(`Cannot start the server:\n${lines.join('\n')}`);
}
