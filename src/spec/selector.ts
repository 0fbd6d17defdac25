/**
 * Calico's selectors over labels: `zone == 'a' && has(rack) && !(role in {'edge', 'spare'})`.
 * Syntax: Calico documentation, "Selectors" of every resource that has one.
 */

export type Selector =
  | { readonly op: 'all' | 'global' }
  | { readonly op: 'has'; readonly key: string }
  | { readonly op: Comparison; readonly key: string; readonly value: string }
  | { readonly op: 'in' | 'not in'; readonly key: string; readonly values: readonly string[] }
  | { readonly op: 'not'; readonly of: Selector }
  | { readonly op: 'and' | 'or'; readonly of: readonly Selector[] };

type Comparison = '==' | '!=' | 'contains' | 'starts with' | 'ends with';

export type Labels = Readonly<Record<string, string>>;

/** Keys that the systems themselves use contain all of these; Calico allows no other. */
const TOKEN =
  /\s*(?:(all|global|has)\(\s*([\w./-]*)\s*\)|(&&|\|\||==|!=|!|\(|\)|\{|\}|,)|'([^']*)'|"([^"]*)"|(not\s+in|starts\s+with|ends\s+with)\b|([\w./-]+))/y;

interface Token {
  readonly kind: 'call' | 'sign' | 'text' | 'word';
  readonly text: string;
  /** Of a call: what stands between the parentheses. */
  readonly key: string;
  /** Where it begins, from 1. */
  readonly column: number;
}

/** Deeper nesting than any person writes; what comes from outside must not exhaust the stack. */
const DEEPEST = 50;

/** An empty text selects everything. @throws SyntaxError that says what is wrong and at which column */
export function parseSelector(text: string): Selector {
  const tokens = tokensOf(text);
  if (tokens.length === 0) return { op: 'all' };
  const parser = new Parser(text, tokens);
  return parser.whole();
}

/** Undefined if the text is no selector. */
export function readSelector(text: string): Selector | undefined {
  try {
    return parseSelector(text);
  } catch {
    return undefined;
  }
}

/** Why the text is no selector; undefined if it is one. */
export function selectorProblem(text: string): string | undefined {
  try {
    parseSelector(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Whether labels are selected. `!=` and `not in` hold for labels that are absent, as in Calico. */
export function selects(selector: Selector, labels: Labels): boolean {
  switch (selector.op) {
    case 'all':
      return true;
    case 'global':
      return false;
    case 'has':
      return Object.hasOwn(labels, selector.key);
    case 'not':
      return !selects(selector.of, labels);
    case 'and':
      return selector.of.every((part) => selects(part, labels));
    case 'or':
      return selector.of.some((part) => selects(part, labels));
    case 'in':
    case 'not in': {
      const value = labelOf(labels, selector.key);
      return (value !== undefined && selector.values.includes(value)) === (selector.op === 'in');
    }
    default:
      return compares(selector.op, labelOf(labels, selector.key), selector.value);
  }
}

function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function compares(op: Comparison, label: string | undefined, value: string): boolean {
  if (op === '!=') return label !== value;
  if (label === undefined) return false;
  if (op === '==') return label === value;
  if (op === 'contains') return label.includes(value);
  return op === 'starts with' ? label.startsWith(value) : label.endsWith(value);
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ''; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const column = at + 1 + (/^\s*/.exec(text.slice(at))?.[0].length ?? 0);
    const found = TOKEN.exec(text);
    if (found === null) throw wrong(text, column, `"${text.slice(column - 1, column + 9)}" is no part of a selector`);
    tokens.push({ ...tokenOf(found), column });
  }
  return tokens;
}

function tokenOf([, call, key = '', sign, single, double, words, word = '']: RegExpExecArray): Omit<Token, 'column'> {
  if (call !== undefined) return { kind: 'call', text: call, key };
  if (sign !== undefined) return { kind: 'sign', text: sign, key: '' };
  const text = single ?? double;
  if (text !== undefined) return { kind: 'text', text, key: '' };
  return { kind: 'word', text: words?.replace(/\s+/, ' ') ?? word, key: '' };
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string, tokens: readonly Token[]) {
    this.#text = text;
    this.#tokens = tokens;
  }

  whole(): Selector {
    const selector = this.#any();
    if (this.#next !== undefined) throw this.#unexpected('&& or ||');
    return selector;
  }

  get #next(): Token | undefined {
    return this.#tokens[this.#at];
  }

  /** Takes the sign if it is the next token. */
  #took(text: string): boolean {
    const { kind, text: found } = this.#next ?? {};
    if (kind !== 'sign' || found !== text) return false;
    this.#at++;
    return true;
  }

  #unexpected(wanted: string): SyntaxError {
    const { text, column } = this.#next ?? { text: 'the end', column: this.#text.length + 1 };
    return wrong(this.#text, column, `${wanted} is expected, not ${text}`);
  }

  #any(): Selector {
    if (++this.#depth > DEEPEST) throw wrong(this.#text, 1, `nested deeper than ${DEEPEST}`);
    const parts = [this.#every()];
    while (this.#took('||')) parts.push(this.#every());
    this.#depth--;
    const [only] = parts;
    return only && parts.length === 1 ? only : { op: 'or', of: parts };
  }

  #every(): Selector {
    const parts = [this.#one()];
    while (this.#took('&&')) parts.push(this.#one());
    const [only] = parts;
    return only && parts.length === 1 ? only : { op: 'and', of: parts };
  }

  #one(): Selector {
    let negated = false;
    while (this.#took('!')) negated = !negated;
    const selector = this.#took('(') ? this.#closed() : this.#term();
    return negated ? { op: 'not', of: selector } : selector;
  }

  #closed(): Selector {
    const selector = this.#any();
    if (!this.#took(')')) throw this.#unexpected(')');
    return selector;
  }

  #term(): Selector {
    const token = this.#next;
    if (token === undefined || (token.kind !== 'call' && token.kind !== 'word')) throw this.#unexpected('a label');
    this.#at++;
    if (token.kind === 'word') return this.#comparison(token.text);
    if (token.text !== 'has') return { op: token.text === 'all' ? 'all' : 'global' };
    if (token.key === '') throw wrong(this.#text, token.column, 'has() needs a label');
    return { op: 'has', key: token.key };
  }

  #comparison(key: string): Selector {
    if (this.#took('==')) return { op: '==', key, value: this.#value() };
    if (this.#took('!=')) return { op: '!=', key, value: this.#value() };
    const word = this.#next?.kind === 'word' ? this.#next.text : '';
    if (word === 'in' || word === 'not in') {
      this.#at++;
      return { op: word, key, values: this.#set() };
    }
    if (word !== 'contains' && word !== 'starts with' && word !== 'ends with') throw this.#unexpected('==, != or in');
    this.#at++;
    return { op: word, key, value: this.#value() };
  }

  #value(): string {
    const token = this.#next;
    if (token?.kind !== 'text') throw this.#unexpected('a value in quotes');
    this.#at++;
    return token.text;
  }

  #set(): string[] {
    if (!this.#took('{')) throw this.#unexpected('{');
    const values: string[] = [];
    while (!this.#took('}')) {
      if (values.length > 0 && !this.#took(',')) throw this.#unexpected(', or }');
      values.push(this.#value());
    }
    return values;
  }
}

function wrong(text: string, column: number, what: string): SyntaxError {
  return new SyntaxError(`Cannot read the selector "${text}": at column ${column} ${what}`);
}
