/** Keys that stand twice in one object of a JSON text: the parser keeps the last, and nobody would know. Pure. */

interface Frame {
  /** Of an object; undefined of a list. */
  readonly keys: Set<string> | undefined;
  readonly path: string;
  /** The key or index that is being read. */
  here: string;
  index: number;
  /** The next text is a key. */
  expectsKey: boolean;
}

/** Paths of the keys that stand twice, in the order of the text, which must be valid JSON. */
export function duplicateFields(text: string): string[] {
  const found: string[] = [];
  const open: Frame[] = [];
  for (let at = 0; at < text.length; at++) {
    const top = open.at(-1);
    switch (text.charCodeAt(at)) {
      case 0x22: {
        const end = endOfText(text, at);
        if (top?.keys !== undefined && top.expectsKey) readKey(top, String(JSON.parse(text.slice(at, end))), found);
        at = end - 1;
        break;
      }
      case 0x7b:
        open.push(frame(new Set(), top));
        break;
      case 0x5b:
        open.push(frame(undefined, top));
        break;
      case 0x7d:
      case 0x5d:
        open.pop();
        break;
      case 0x2c:
        if (top !== undefined) next(top);
    }
  }
  return found;
}

function frame(keys: Set<string> | undefined, outer: Frame | undefined): Frame {
  const path = outer === undefined ? '' : placeOf(outer);
  return { keys, path, here: '', index: 0, expectsKey: keys !== undefined };
}

function placeOf({ keys, path, here, index }: Frame): string {
  if (keys === undefined) return `${path}[${index}]`;
  return path === '' ? here : `${path}.${here}`;
}

function readKey(top: Frame, key: string, found: string[]): void {
  top.here = key;
  top.expectsKey = false;
  const path = placeOf(top);
  if (top.keys?.has(key) === true && !found.includes(path)) found.push(path);
  top.keys?.add(key);
}

function next(top: Frame): void {
  top.index += 1;
  top.expectsKey = top.keys !== undefined;
}

/** Where the text ends whose first quote stands at `start`: after a quote with an even number of backslashes before it. */
function endOfText(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return end + 1;
  }
  return text.length;
}
