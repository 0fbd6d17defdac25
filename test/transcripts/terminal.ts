/** A terminal with a shell in it, typed at as a person would: a line, then wait for the prompt. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** The shell's prompt: what no program prints, around the status of what was typed before. */
const PROMPT = /⟦(\d+)⟧$/;
/** That of a shell within: root's. */
const INNER = /(^|\n)[^\n]*# $/;

export interface Answer {
  readonly screen: string;
  /** Exit status; undefined in a shell within. */
  readonly status?: number;
}

export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  #seen = '';
  #ended = false;
  #wake = () => {};

  /** `dir`: a folder for the shell's start file; `start`: what it runs first. */
  constructor(dir: string, start: string, env: NodeJS.ProcessEnv) {
    const file = join(dir, 'bashrc');
    writeFileSync(file, `stty -echo; PS1='⟦$?⟧' PS2=; ${start}\n`);
    const shell = `exec bash --noprofile --noediting --rcfile '${file}' -i`;
    this.#child = spawn('script', ['-qfc', shell, '/dev/null'], { env, cwd: dir });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#seen += text;
      this.#wake();
    });
    this.#child.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** The first prompt, or what has been printed since the last line when one stands there again. @throws Error after `ms` */
  async prompt(ms: number): Promise<Answer> {
    const until = setTimeout(() => this.#wake(), ms);
    const deadline = Date.now() + ms;
    try {
      for (;;) {
        const answer = this.#answer();
        if (answer !== undefined) return answer;
        const why = this.#ended ? 'the shell has ended' : 'no prompt again';
        if (this.#ended || Date.now() >= deadline) throw new Error(`${why}; it printed:\n${this.#seen}`);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(until);
    }
  }

  #answer(): Answer | undefined {
    const text = stripVTControlCharacters(this.#seen).replaceAll('\r', '');
    const [, status] = PROMPT.exec(text) ?? [];
    if (status !== undefined) return { screen: text.replace(PROMPT, ''), status: Number(status) };
    return INNER.test(text) ? { screen: text.replace(INNER, '$1') } : undefined;
  }

  async type(line: string, ms: number): Promise<Answer> {
    this.#seen = '';
    this.#child.stdin.write(`${line}\n`);
    return this.prompt(ms);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    // With its end the terminal hangs up on all that runs in it.
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }
}
