/** How words stand in BIRD's configuration. Its strings know no escapes, so what they cannot hold is refused. */

/** BIRD's own limit of a symbol's length (conf/conf.h, SYM_MAX_LEN). */
const SYMBOL_LIMIT = 64;

/** @throws RangeError if it cannot be a symbol. */
export function symbol(name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && name.length < SYMBOL_LIMIT) return name;
  throw new RangeError(`Cannot name "${name}" in bird.conf: a name has letters, digits and "_"`);
}

/** Text that a string of bird.conf can hold: one line, without quotes. */
export function canQuote(text: string): boolean {
  return !/["\n\r\0]/.test(text);
}

/** @throws RangeError if it cannot be written; the text is not in the message, it may be a password. */
export function quoted(text: string): string {
  if (!canQuote(text)) throw new RangeError('Cannot write a text with quotes or line breaks into bird.conf');
  return `"${text}"`;
}

/** @throws RangeError */
export function whole(value: number, min: number, max: number, what: string): string {
  if (Number.isInteger(value) && value >= min && value <= max) return String(value);
  throw new RangeError(`Cannot write ${what} ${value} into bird.conf: it must be ${min} to ${max}`);
}
