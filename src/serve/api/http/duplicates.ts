/** Keys that stand twice in one object of a JSON text: the parser keeps the last, and nobody would know. Pure. */

interface Frame {
  /** Of an object; undefined of a list. */
  readonly keys: Set<string> | undefined;
  /** The key or index that is being read. */
  here: string;
  index: number;
  /** The next text is a key. */
  expectsKey: boolean;
}

/** Paths of the keys that stand twice, in the order of the text, which must be valid JSON. */
export function duplicateFields(text: string): string[] {
  const found = new Set<string>();
  const open: Frame[] = [];
  let top: Frame | undefined;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: {
        const end = endOfText(text, at);
        if (top?.expectsKey === true && readKey(top, text.slice(at, end))) found.add(pathOf(open));
        at = end - 1;
        break;
      }
      case 0x7b:
        top = { keys: new Set(), here: '', index: 0, expectsKey: true };
        open.push(top);
        break;
      case 0x5b:
        top = { keys: undefined, here: '', index: 0, expectsKey: false };
        open.push(top);
        break;
      case 0x7d:
      case 0x5d:
        open.pop();
        top = open.at(-1);
        break;
      case 0x2c:
        if (top !== undefined) next(top);
    }
  }
  return [...found];
}

/** Whether the key of this text was there before. */
function readKey(top: Frame, quoted: string): boolean {
  const key = quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
  const isSecond = top.keys?.has(key) === true;
  top.here = key;
  top.expectsKey = false;
  top.keys?.add(key);
  return isSecond;
}

function pathOf(open: readonly Frame[]): string {
  return open.reduce((path, { keys, here, index }) => {
    if (keys === undefined) return `${path}[${index}]`;
    return path === '' ? here : `${path}.${here}`;
  }, '');
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
