/**
 * The text protocol of BIRD's control socket (doc/reply_codes, nest/cli.c). The daemon greets with `0001`. A command is
 * one line; its answer is lines of a four-digit code and text: `1002-text` with more to come, ` text` with the code of
 * the line before, `0000 text` the last one. Codes from 8000 are failures, from 9000 commands not understood.
 */

export interface ReplyLine {
  /** 0 to 9999. */
  readonly code: number;
  readonly text: string;
}

/** One answer; its last line is the one that ended it. */
export interface Reply {
  readonly lines: readonly ReplyLine[];
}

/** The code and text that ended it. */
export function ending({ lines }: Reply): ReplyLine {
  return lines.at(-1) ?? { code: 0, text: '' };
}

export function failed(reply: Reply): boolean {
  return ending(reply).code >= 8000;
}

/** Texts of the lines of one code, in order. */
export function textsOf({ lines }: Reply, code: number): string[] {
  return lines.filter((line) => line.code === code).map(({ text }) => text);
}

/** Said in place of what is said unasked faster than it is read. */
export const LOST = /^<\d+ messages lost>$/;
const CODED = /^(\d{4})([ -])(.*)$/s;

/** Longest line that is taken for one; a daemon that sends more is none. Bytes. */
const LINE_LIMIT = 1 << 20;

/** Takes the stream in pieces of any size and gives whole answers. */
export class ReplyDecoder {
  readonly #onSaid: (text: string) => void;
  #rest = '';
  #lines: ReplyLine[] = [];

  /** `onSaid` is told what the daemon says unasked (`echo`), a line each. */
  constructor(onSaid: (text: string) => void = () => {}) {
    this.#onSaid = onSaid;
  }

  /** Answers that the piece completes. @throws SyntaxError if this is not BIRD's protocol. */
  push(piece: string): Reply[] {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LINE_LIMIT) throw new SyntaxError('Cannot read BIRD’s answer: a line has no end');
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): Reply[] {
    if (line.startsWith('+') || LOST.test(line)) {
      this.#onSaid(line.replace(/^\+/, ''));
      return [];
    }
    const [, code, mark, text] = CODED.exec(line) ?? [];
    if (code === undefined) this.#continue(line);
    else this.#lines.push({ code: Number(code), text: text ?? '' });
    if (mark !== ' ') return [];
    const reply = { lines: this.#lines };
    this.#lines = [];
    return [reply];
  }

  #continue(line: string): void {
    const code = this.#lines.at(-1)?.code;
    if (code === undefined || !line.startsWith(' ')) {
      throw new SyntaxError(`Cannot read BIRD’s answer: "${line.slice(0, 80)}" has no code`);
    }
    this.#lines.push({ code, text: line.slice(1) });
  }
}

/** As the daemon writes it. @throws RangeError for a text with line breaks, a code of another width or no line. */
export function printReply({ lines }: Reply): string {
  if (lines.length === 0) throw new RangeError('Cannot write an answer without lines');
  return lines.map((line, i) => printLine(line, lines[i - 1]?.code, i === lines.length - 1)).join('');
}

function printLine({ code, text }: ReplyLine, before: number | undefined, last: boolean): string {
  if (!Number.isInteger(code) || code < 0 || code > 9999) throw new RangeError(`Cannot write code ${code}`);
  if (text.includes('\n')) throw new RangeError('Cannot write a text with line breaks as one line');
  if (!last && code === before) return ` ${text}\n`;
  return `${String(code).padStart(4, '0')}${last ? ' ' : '-'}${text}\n`;
}
