/** Entry of `polder apiserver`. */
import { Command, CommanderError } from 'commander';
import { destination, pino } from 'pino';
import { keepCompiled } from '#cmd/keep-compiled.ts';
import type { ListenSpec } from '#serve/api/listen.ts';
import { runApiServer } from '#serve/api/main.ts';
import { PolderError } from '#spec/errors.ts';

interface Flags {
  readonly data: string;
  readonly listen?: readonly ListenSpec[];
  readonly listenFd?: readonly ListenSpec[];
  readonly kubeletSocketPattern: string;
  readonly name?: readonly string[];
  readonly cluster: string;
}

function parseListen(text: string, before: readonly ListenSpec[] = []): ListenSpec[] {
  const found = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(text);
  const port = Number(found?.[2]);
  if (found === null || port > 65535)
    throw new PolderError('usage', { what: `--listen takes ADDRESS:PORT, not "${text}".` });
  return [...before, { host: found[1] ?? '', port }];
}

function parseFd(text: string, before: readonly ListenSpec[] = []): ListenSpec[] {
  if (!/^\d{1,6}$/.test(text))
    throw new PolderError('usage', { what: `--listen-fd takes the number of a descriptor, not "${text}".` });
  return [...before, { fd: Number(text) }];
}

function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

const command = new Command('apiserver')
  .description('The embedded, kubectl-compatible API server of a lab.')
  .requiredOption('--data <dir>', 'directory of the store and the keys')
  .option('--listen <address:port>', 'where to listen (may be repeated)', parseListen)
  .option('--listen-fd <fd>', 'a listening TCP socket that the parent process made (may be repeated)', parseFd)
  .option(
    '--kubelet-socket-pattern <path>',
    "unix socket of a node's kubelet, {node} stands for its name",
    '/run/polder/{node}/kubelet.sock',
  )
  .option('--name <name>', 'one more name or address for the certificate (may be repeated)', collect)
  .option('--cluster <name>', 'name of the cluster in the kubeconfig files', 'polder')
  .exitOverride();

/** @returns the exit status */
async function main(signal: AbortSignal): Promise<number> {
  const flags: Flags = command.parse(process.argv).opts();
  const listen = [...(flags.listen ?? []), ...(flags.listenFd ?? [])];
  if (listen.length === 0) throw new PolderError('usage', { what: 'The API server needs --listen or --listen-fd.' });
  const log = pino({ name: 'apiserver' }, destination({ fd: 2, sync: false }));
  await runApiServer(
    {
      dataDir: flags.data,
      listen,
      kubeletSocketPattern: flags.kubeletSocketPattern,
      names: flags.name ?? [],
      cluster: flags.cluster,
      log,
    },
    signal,
  );
  log.flush();
  return 0;
}

function complain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const known = error instanceof PolderError ? error : undefined;
  const text =
    known === undefined ? (error instanceof Error ? error.stack : String(error)) : `${known.message} ${known.row.todo}`;
  process.stderr.write(`${JSON.stringify({ level: 60, time: Date.now(), name: 'apiserver', msg: text })}\n`);
  return known?.row.exit ?? 70;
}

keepCompiled();
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
process.exitCode = await main(stop.signal).catch(complain);
