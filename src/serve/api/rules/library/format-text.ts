/** `'%s'.format([…])` of CEL (cel-go `ext.Strings`, "Format"): one clause for each item of the list. */

const CLAUSE = /%(?:%|(?:\.(\d+))?([sdfebxXo]))/g;

/** @throws RangeError if the list has too few items; TypeError if a clause does not take what it is given */
export function formatText(template: string, items: readonly unknown[]): string {
  let next = 0;
  return template.replace(CLAUSE, (clause, precision: string | undefined, verb: string | undefined) => {
    if (verb === undefined) return '%';
    if (next >= items.length) throw new RangeError(`index ${next} out of range`);
    return written(items[next++], verb, Number(precision ?? 6), clause);
  });
}

function written(item: unknown, verb: string, precision: number, clause: string): string {
  switch (verb) {
    case 's':
      return textOf(item);
    case 'd':
      if (typeof item === 'bigint' || typeof item === 'number') return String(item);
      break;
    case 'f':
      if (typeof item === 'bigint' || typeof item === 'number') return Number(item).toFixed(precision);
      break;
    case 'e':
      if (typeof item === 'bigint' || typeof item === 'number')
        return Number(item)
          .toExponential(precision)
          .replace(/e([+-])(\d)$/, 'e$10$2');
      break;
    default:
      return inBase(item, verb, clause);
  }
  throw new TypeError(`cannot format a ${typeof item} by ${clause}`);
}

const BASES: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16, X: 16 };

function inBase(item: unknown, verb: string, clause: string): string {
  if (verb === 'b' && typeof item === 'boolean') return item ? '1' : '0';
  if (typeof item === 'string' && verb.toLowerCase() === 'x') return cased(Buffer.from(item).toString('hex'), verb);
  if (item instanceof Uint8Array && verb.toLowerCase() === 'x') return cased(Buffer.from(item).toString('hex'), verb);
  if (typeof item !== 'bigint') throw new TypeError(`cannot format a ${typeof item} by ${clause}`);
  return cased(item.toString(BASES[verb]), verb);
}

function cased(text: string, verb: string): string {
  return verb === 'X' ? text.toUpperCase() : text;
}

function textOf(item: unknown): string {
  if (item instanceof Date) return item.toISOString().replace(/\.000Z$/, 'Z');
  if (item instanceof Uint8Array) return Buffer.from(item).toString('utf8');
  if (Array.isArray(item)) return `[${item.map(textOf).join(', ')}]`;
  if (typeof item !== 'object' || item === null) return String(item);
  const entries = Object.entries(item).map(([key, value]) => `${key}: ${textOf(value)}`);
  return `{${entries.sort().join(', ')}}`;
}
