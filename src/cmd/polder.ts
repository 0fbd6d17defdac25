/** `polder`: reads the arguments, runs the command, says errors, sets the exit status. */

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { type Command, CommanderError } from 'commander';
import { type OwnProgram, polderCommand } from '#cli/program.ts';
import { Stopped } from '#cli/stopped.ts';
import { paint, type Terminal } from '#cli/terminal.ts';
import { PolderError } from '#spec/errors.ts';

/** Exit status when the person stopped it, as a shell counts SIGINT. */
const INTERRUPTED = 130;

/** Of commands that say nothing themselves when they are stopped. */
const LAB_STAYS = 'what has been made is still there; the same command goes on, `polder lab down` removes it';

/** Programs that run for long, an entry of their own each: the lab starts them by their files. */
const PROGRAMS: readonly OwnProgram[] = [
  own('agent', 'Run the agent of a node: routes, and the network of its pods.'),
  own('apiserver', 'Run the embedded Kubernetes API server.'),
  own('controller', 'Run the scheduler and the other controllers of the embedded cluster.'),
  own('kubelet', 'Run the small kubelet of a lab’s node.'),
  own('bench', 'Measure, beside a baseline: polder bench NAME [--json].'),
];

/** The entry reads `process.argv` as if it had been started itself, and ends the process itself. */
function own(name: string, summary: string): OwnProgram {
  return {
    name,
    summary,
    async run(args) {
      const entry = new URL(`./${name}.ts`, import.meta.url);
      process.argv = [process.execPath, fileURLToPath(entry), ...args];
      await import(entry.href);
    },
  };
}

function terminal(signal: AbortSignal): Terminal {
  const { env, stdin, stdout, stderr } = process;
  const colour = (stream: NodeJS.WriteStream) => stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    live: stderr.isTTY === true && env.TERM !== 'dumb',
    outColour: colour(stdout),
    errColour: colour(stderr),
    canAsk: stdin.isTTY === true && stderr.isTTY === true,
    async ask(question) {
      const lines = createInterface({ input: stdin, output: stderr });
      const answer = await lines.question(question, { signal });
      lines.close();
      return answer;
    },
    signal,
    root: process.getuid?.() === 0,
    env,
    elapsed: () => performance.now(),
    exitWith: (status) => {
      process.exitCode = status;
    },
  };
}

function version(): string {
  const file = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return file.version;
}

/** Applies to a command and all below it: errors come back as exceptions, in our words. */
function configure(command: Command, io: Terminal): void {
  command.exitOverride().configureOutput({
    writeOut: io.out,
    writeErr: io.err,
    outputError: (text, write) => write(text.replace(/^error:/, paint(io.errColour, 'red', 'error:'))),
  });
  for (const sub of command.commands) configure(sub, io);
}

/** Says what is wrong and what to do. @returns the exit status. */
function complain(io: Terminal, error: unknown): number {
  const red = (text: string) => paint(io.errColour, 'red', text);
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageStatus(io, error);
  if (error instanceof Stopped || (io.signal.aborted && isAbort(error))) {
    io.err(`${red('stopped:')} ${error instanceof Stopped ? error.message : LAB_STAYS}\n`);
    return INTERRUPTED;
  }
  const known = error instanceof PolderError ? error : translated(error);
  io.err(`${red('error:')} ${known.message}\n       ${known.todo}\n`);
  return known.row.exit;
}

function usageStatus(io: Terminal, error: CommanderError): number {
  // Commander has said what is wrong; help that was asked for by leaving the command out is not an error of words.
  if (error.code !== 'commander.help') io.err('       Run it with --help to see what it takes.\n');
  return 2;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
}

/** Errors of lower layers in words of the registry. What nobody foresaw keeps its trace for whoever mends it. */
function translated(error: unknown): PolderError {
  // By name: its module is loaded only by commands that talk with the API.
  if (error instanceof Error && error.name === 'ApiUnreachable') {
    return new PolderError('api-unreachable', { reason: error.message }, { cause: error });
  }
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new PolderError('internal', { what: trace }, { cause: error });
}

async function main(): Promise<void> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // The first asks; a second ends at once.
    process.once(name, () => stop.abort());
  }
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', (error) => {
    if ('code' in error && error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const io = terminal(stop.signal);
  const polder = polderCommand(io, version(), PROGRAMS);
  configure(polder, io);
  try {
    await polder.parseAsync(process.argv);
  } catch (error) {
    process.exitCode = complain(io, error);
  }
}

await main();
