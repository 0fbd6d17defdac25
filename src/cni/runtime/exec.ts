/** Runs one CNI executable: environment and standard input in, standard output or an error out. */

import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { PolderError } from '#spec/errors.ts';
import { readErrorObject } from '#wire/cni/error.ts';

export interface PluginRun {
  readonly path: string;
  /** Base name, for messages. */
  readonly plugin: string;
  readonly env: { readonly [name: string]: string };
  readonly stdin: string;
  readonly timeoutMs: number;
  /** Starts it: in another network namespace, say. */
  readonly within?: <T>(fn: () => T) => T;
}

interface Output {
  readonly stdout: string;
  readonly stderr: string;
  /** Undefined if it ended well; else why not, as a person would say it. */
  readonly trouble?: string;
}

/** More than this of either output is cut: a plugin that floods is not to fill our memory. */
const LARGEST_OUTPUT = 4 << 20;

/** How long a grandchild that still holds standard output is waited for after the plugin's own end. */
const GRACE_MS = 200;

/** @throws PolderError cni-plugin-missing */
export async function findPlugin(type: string, binDirs: readonly string[]): Promise<string> {
  for (const dir of binDirs) {
    const path = join(dir, type);
    if (await executable(path)) return path;
  }
  throw new PolderError('cni-plugin-missing', { plugin: type, dirs: binDirs.join(', ') || '(no directory)' });
}

async function executable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Standard output of a plugin that ended well.
 * @throws PolderError cni-plugin-failed with the plugin's own message, its CNI code in `details.cniCode` and what it wrote to standard error.
 */
export async function runPlugin(run: PluginRun): Promise<string> {
  const output = await execute(run);
  if (output.trouble === undefined) return output.stdout;
  const said = readErrorObject(parse(output.stdout));
  const words = said
    ? [said.msg.replace(/\.$/, ''), said.details].filter(Boolean).join('; ')
    : output.stdout.trim().slice(0, 500);
  const stderr = output.stderr.trim().slice(0, 2000);
  const what = [words || output.trouble, stderr && `stderr: ${stderr}`].filter(Boolean).join('; ');
  throw new PolderError('cni-plugin-failed', {
    plugin: run.plugin,
    command: run.env.CNI_COMMAND ?? '',
    what,
    ...(said && { cniCode: said.code }),
  });
}

function execute(run: PluginRun): Promise<Output> {
  const start = () => spawn(run.path, [], { env: run.env, stdio: ['pipe', 'pipe', 'pipe'] });
  const child = run.within ? run.within(start) : start();
  return lacksPipes(child) ? whyNotStarted(child) : follow(run, child);
}

/** So it is where this process has no descriptor left (EMFILE), whatever the type says. */
function lacksPipes({ stdout }: ChildProcess): boolean {
  return !stdout;
}

/** The reason comes as an event, a moment later; unheard it would end this process. */
function whyNotStarted(child: ChildProcess): Promise<Output> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ stdout: '', stderr: '', trouble: error.message }));
  });
}

function follow(run: PluginRun, child: ChildProcessWithoutNullStreams): Promise<Output> {
  const { promise, resolve } = Promise.withResolvers<Output>();
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, run.timeoutMs);
  let grace: NodeJS.Timeout | undefined;
  let ended: string | undefined;
  const finish = (trouble: string | undefined) => {
    clearTimeout(timer);
    clearTimeout(grace);
    child.stdout.destroy();
    child.stderr.destroy();
    resolve({ stdout: stdout(), stderr: stderr(), ...(trouble !== undefined && { trouble }) });
  };
  child.on('error', (error) => finish(error.message));
  child.on('exit', (code, signal) => {
    ended = late ? `no answer within ${run.timeoutMs / 1000} s` : howItEnded(code, signal);
    grace = setTimeout(() => finish(ended), GRACE_MS);
  });
  child.on('close', () => finish(ended));
  // A plugin that does not read its configuration (VERSION) closes the pipe: no matter.
  child.stdin.on('error', () => {});
  child.stdin.end(run.stdin);
  return promise;
}

function howItEnded(code: number | null, signal: string | null): string | undefined {
  if (code === 0) return undefined;
  return signal ? `it was ended by ${signal}` : `it ended with status ${code}`;
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    if (size < LARGEST_OUTPUT) chunks.push(chunk);
    size += chunk.length;
  });
  stream.on('error', () => {});
  return () => Buffer.concat(chunks).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
