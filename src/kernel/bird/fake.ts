/** BIRD in memory: it loads any configuration that has a version, and answers what tests put into it. */

import { type Bird, type BirdControl, BirdGone } from '#kernel/bird/handle.ts';
import type { Reply } from '#wire/bird/reply.ts';

/** The constant that `print-conf.ts` writes. */
const VERSION = /^define (polder_conf_\w+) = 1;$/m;

export class FakeBird implements Bird {
  /** Every command that was sent, and `start`, in order. */
  readonly log: string[] = [];
  /** Answers by command, beside those that it gives by itself. */
  readonly answers = new Map<string, Reply>();
  /** Said of every configuration that is checked. */
  wrong: string | undefined;
  /** Why it cannot start. */
  broken: string | undefined;
  owes = false;
  #conf: string | undefined;
  #loaded: string | undefined;
  #controls: FakeControl[] = [];

  get running(): boolean {
    return this.#loaded !== undefined;
  }

  readConf(): string | undefined {
    return this.#conf;
  }

  async writeConf(text: string): Promise<string | undefined> {
    if (this.wrong === undefined) this.#conf = text;
    return this.wrong;
  }

  removeConf(): void {
    this.#conf = undefined;
  }

  trimLog(): void {}

  async connect(): Promise<BirdControl | undefined> {
    if (this.#loaded === undefined) return undefined;
    const control = new FakeControl((command) => this.#answer(command));
    this.#controls.push(control);
    return control;
  }

  async start({ recover }: { readonly recover: boolean }): Promise<BirdControl> {
    this.log.push(recover ? 'start -R' : 'start');
    if (this.broken !== undefined) throw new BirdGone(this.broken);
    this.#loaded = this.#conf ?? '';
    const control = await this.connect();
    if (!control) throw new BirdGone('BIRD has ended');
    return control;
  }

  /** Ends at once, without a word. */
  die(): void {
    this.#loaded = undefined;
    for (const control of this.#controls.splice(0)) control.end();
  }

  #answer(command: string): Reply {
    this.log.push(command);
    if (command === 'configure soft') {
      this.#loaded = this.#conf ?? '';
      return one(3, 'Reconfigured');
    }
    if (command === 'down') {
      queueMicrotask(() => this.die());
      return one(7, 'Shutdown requested');
    }
    const symbol = /^show symbols (\S+)$/.exec(command)?.[1];
    if (symbol !== undefined) return one(1010, `${symbol}\t${this.#has(symbol) ? 'constant' : 'undefined'}`);
    return this.answers.get(command) ?? one(0, '');
  }

  #has(symbol: string): boolean {
    return VERSION.exec(this.#loaded ?? '')?.[1] === symbol;
  }
}

function one(code: number, text: string): Reply {
  return { lines: [{ code, text }] };
}

class FakeControl implements BirdControl {
  readonly closed: Promise<void>;
  readonly #answer: (command: string) => Reply;
  #end: () => void = () => {};
  #ended = false;

  constructor(answer: (command: string) => Reply) {
    this.#answer = answer;
    this.closed = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async ask(command: string): Promise<Reply> {
    if (this.#ended) throw new BirdGone('BIRD has ended');
    return this.#answer(command);
  }

  onSaid(): void {}

  end(): void {
    this.#ended = true;
    this.#end();
  }

  close(): void {
    this.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
