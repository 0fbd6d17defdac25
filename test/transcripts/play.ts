/** Types a transcript in a lab's shell, and compares. */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labPaths } from '#lab/names.ts';
import { ROOT } from '#test/support/polder.ts';
import { Terminal } from '#test/transcripts/terminal.ts';
import { parseTranscript, type Step, shows } from '#test/transcripts/transcript.ts';

/** As long as a line may take: it may wait for containers that ignore SIGTERM, or for name servers that a lab has not. */
const LINE_MS = 120_000;
const AGAIN_MS = 100;

/**
 * @param file below this folder; the manifests stand in the working directory of the shell
 * @param programs name -> path, first in the shell's PATH
 */
export async function play(file: string, labName: string, programs: Readonly<Record<string, string>>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'polder-'));
  try {
    for (const name of ['manifests']) symlinkSync(join(import.meta.dirname, name), join(dir, name));
    for (const [name, path] of Object.entries(programs)) symlinkSync(path, join(dir, name));
    await using terminal = new Terminal(dir, startOf(labName), environmentOf(dir, labName));
    await terminal.prompt(LINE_MS);
    const steps = parseTranscript(readFileSync(join(import.meta.dirname, file), 'utf8'));
    for (const step of steps) await take(terminal, file, step);
  } finally {
    // What ran in the terminal may take a moment to end.
    rmSync(dir, { recursive: true, maxRetries: 10 });
  }
}

/** A node is reached as the documents reach theirs. */
function startOf(labName: string): string {
  const polder = `${process.execPath} --disable-warning=ExperimentalWarning ${ROOT}/src/cmd/polder.ts`;
  return `cd manifests; LAB=${labName}; polder() { ${polder} "$@"; }; ssh() { ${polder} lab shell --name ${labName} "$1" \${2:+-- sh -c "$2"}; }`;
}

function environmentOf(dir: string, labName: string): NodeJS.ProcessEnv {
  const { PATH = '' } = process.env;
  return { PATH: `${dir}:${PATH}`, HOME: dir, HISTFILE: '', TERM: 'dumb', KUBECONFIG: labPaths(labName).kubeconfig };
}

async function take(terminal: Terminal, file: string, step: Step): Promise<void> {
  const until = Date.now() + LINE_MS;
  for (;;) {
    const { screen, status } = await terminal.type(step.typed, LINE_MS);
    const text = step.manner === '#' ? screen.replace(`${step.typed}\n`, '') : screen;
    if (went(step, status) && shows(text, step.reads)) return;
    if (step.manner !== '~' || Date.now() > until) return fail(file, step, text, status);
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function went({ manner }: Step, status: number | undefined): boolean {
  if (manner === '#' || status === undefined) return true;
  return manner === '!' ? status !== 0 : status === 0;
}

function fail(file: string, step: Step, screen: string, status: number | undefined): never {
  const where = `${file}:${step.line}: ${step.typed}`;
  assert.fail(`${where}\nstatus ${status}\n--- read:\n${screen}\n--- to be read:\n${step.reads.join('\n')}`);
}
