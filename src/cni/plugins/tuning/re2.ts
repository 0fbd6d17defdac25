/**
 * Go's regular expressions (github.com/google/re2/wiki/Syntax, as package `regexp` reads them) as JavaScript's, to be asked
 * whether they match somewhere. Unicode's own classes (`\p{Greek}`) are not known. What Go refuses is refused.
 */

/** Undefined for what cannot be read. */
export function readRe2(text: string): RegExp | undefined {
  try {
    return new RegExp(new Translation(text).whole(), 'v');
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

interface Flags {
  /** Letters of either case are the same. */
  readonly i: boolean;
  /** `^` and `$` hold at the ends of lines, too. */
  readonly m: boolean;
  /** `.` matches the end of a line, too. */
  readonly s: boolean;
}

/** Members of POSIX's classes and Perl's: ASCII, whatever JavaScript's own of that name have. */
const CLASSES = new Map([
  ['alnum', '0-9A-Za-z'],
  ['alpha', 'A-Za-z'],
  ['ascii', '\\x00-\\x7F'],
  ['blank', '\\t\\x20'],
  ['cntrl', '\\x00-\\x1F\\x7F'],
  ['digit', '0-9'],
  ['graph', '\\x21-\\x7E'],
  ['lower', 'a-z'],
  ['print', '\\x20-\\x7E'],
  ['punct', '\\x21-\\x2F\\x3A-\\x40\\x5B-\\x60\\x7B-\\x7E'],
  ['space', '\\t\\n\\v\\f\\r\\x20'],
  ['upper', 'A-Z'],
  ['word', '0-9A-Za-z_'],
  ['xdigit', '0-9A-Fa-f'],
  ['d', '0-9'],
  ['s', '\\t\\n\\f\\r\\x20'],
  ['w', '0-9A-Za-z_'],
]);

const CONTROL = new Map([
  ['a', 0x07],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
  ['v', 0x0b],
]);

/** Go's own bounds. */
const DEEPEST = 1000;
const MOST_REPEATS = 1000;
const LAST_CHARACTER = 0x10ffff;

class Translation {
  readonly #text: string;
  #at = 0;
  #flags: Flags = { i: false, m: false, s: false };
  /** Of the groups that are open, what held before each. */
  readonly #outer: Flags[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** @throws SyntaxError */
  whole(): string {
    let out = '';
    while (this.#at < this.#text.length) out += this.#next();
    return this.#outer.length === 0 ? out : this.#fail();
  }

  #fail(): never {
    throw new SyntaxError(`Cannot read "${this.#text}" from its character ${this.#at} on`);
  }

  /** What stands here in this form, taken off; `form` is sticky. */
  #take(form: RegExp): RegExpExecArray | undefined {
    form.lastIndex = this.#at;
    const found = form.exec(this.#text) ?? undefined;
    if (found) this.#at = form.lastIndex;
    return found;
  }

  #next(): string {
    const quoted = this.#take(/\\Q(.*?)(?:\\E|$)/suy);
    if (quoted) return Array.from(quoted[1] ?? '', (one) => this.#atom(member(codeOf(one)))).join('');
    return (
      this.#group() ?? this.#repeat() ?? this.#assertion() ?? this.#class() ?? this.#atom(member(this.#character()))
    );
  }

  /** One thing that a repetition may follow. */
  #atom(source: string): string {
    return this.#flags.i ? `(?i:${source})` : source;
  }

  #group(): string | undefined {
    if (this.#take(/\|/y)) return '|';
    if (this.#take(/\)/y)) {
      this.#flags = this.#outer.pop() ?? this.#fail();
      return ')';
    }
    const flags = this.#take(/\(\?([imsU]*)(?:-([imsU]+))?([:)])/y);
    if (flags) return this.#setFlags(flags[1] ?? '', flags[2] ?? '', flags[3] === ':');
    const named = this.#take(/\(\?P?<(\w+)>/y);
    if (named) return this.#open(`(?<${named[1]}>`);
    if (this.#take(/\((?!\?)/y)) return this.#open('(?:');
    return this.#take(/\(/y) && this.#fail();
  }

  #open(source: string): string {
    if (this.#outer.push(this.#flags) > DEEPEST) this.#fail();
    return source;
  }

  /** `U` changes how much is taken, not whether it matches. */
  #setFlags(on: string, off: string, opens: boolean): string {
    const source = opens ? this.#open('(?:') : '';
    const { i, m, s } = this.#flags;
    const now = (was: boolean, flag: string) => (was || on.includes(flag)) && !off.includes(flag);
    this.#flags = { i: now(i, 'i'), m: now(m, 'm'), s: now(s, 's') };
    return source;
  }

  /** JavaScript itself refuses one that follows nothing, or another. */
  #repeat(): string | undefined {
    const count = this.#take(/\{(0|[1-9]\d*)(?:,(0|[1-9]\d*)?)?\}\??/y);
    if (count && [count[1], count[2]].some((times) => Number(times ?? 0) > MOST_REPEATS)) this.#fail();
    return (count ?? this.#take(/[*+?]\??/y))?.[0];
  }

  /** In a group: JavaScript allows no repetition right after one. */
  #assertion(): string | undefined {
    const { m } = this.#flags;
    if (this.#take(/\^/y)) return m ? '(?:(?<![^\\n]))' : '(?:^)';
    if (this.#take(/\$/y)) return m ? '(?:(?![^\\n]))' : '(?:$)';
    if (this.#take(/\\A/y)) return '(?:^)';
    if (this.#take(/\\z/y)) return '(?:$)';
    const boundary = this.#take(/\\[bB]/y)?.[0];
    return boundary && `(?:${boundary})`;
  }

  #class(): string | undefined {
    if (this.#take(/\./y)) return this.#flags.s ? '[^]' : '[^\\n]';
    const opening = this.#take(/\[\^?/y)?.[0];
    if (opening === undefined) {
      const perl = this.#namedClass();
      return perl && this.#atom(perl);
    }
    let source = opening;
    // A bracket that comes first is a member.
    do source += this.#member();
    while (!this.#take(/\]/y));
    return this.#atom(`${source}]`);
  }

  #member(): string {
    const named = this.#posixClass() ?? this.#namedClass();
    if (named) return named;
    const first = this.#character();
    if (!this.#take(/-(?!\])(?=.)/suy)) return member(first);
    const last = this.#character();
    return last < first ? this.#fail() : `${member(first)}-${member(last)}`;
  }

  /** `[:alnum:]`, `[:^alnum:]`; only inside of a class. */
  #posixClass(): string | undefined {
    const found = this.#take(/\[:(\^?)(.*?):\]/suy);
    if (!found) return undefined;
    const name = found[2] ?? '';
    return classOf(name.length > 1 ? CLASSES.get(name) : undefined, found[1] === '^') ?? this.#fail();
  }

  /** `\d`, `\D`. */
  #namedClass(): string | undefined {
    const letter = this.#take(/\\([dswDSW])/y)?.[1];
    return letter && classOf(CLASSES.get(letter.toLowerCase()), letter !== letter.toLowerCase());
  }

  /** One character, as itself or as an escape. */
  #character(): number {
    const octal = this.#take(/\\(0[0-7]{0,2}|[1-7][0-7]{1,2})/y)?.[1];
    if (octal) return Number.parseInt(octal, 8);
    const hex = this.#take(/\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})/y);
    if (hex) return this.#inUnicode(Number.parseInt(hex[1] ?? hex[2] ?? '', 16));
    const letter = this.#take(/\\([afnrtv])/y)?.[1];
    if (letter) return CONTROL.get(letter) ?? this.#fail();
    const plain = this.#take(/\\([^0-9A-Za-z\u0080-\u{10ffff}])|([^\\])/uy) ?? this.#fail();
    return codeOf(plain[1] ?? plain[2] ?? '');
  }

  #inUnicode(code: number): number {
    return code <= LAST_CHARACTER ? code : this.#fail();
  }
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

function member(code: number): string {
  return `\\u{${code.toString(16)}}`;
}

function classOf(members: string | undefined, not: boolean): string | undefined {
  return members && `[${not ? '^' : ''}${members}]`;
}
