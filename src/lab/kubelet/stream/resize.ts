export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

/** Bytes that one size may take; a stream that goes beyond is no client's. */
const LONGEST = 1024;

/**
 * Reads the resize stream: JSON objects `{"Width":80,"Height":24}` one after another, cut anywhere. What is not a size
 * is skipped, as a terminal that keeps its old size is better than a session that breaks.
 */
export class ResizeReader {
  #text = '';

  push(bytes: Uint8Array): readonly TerminalSize[] {
    this.#text += new TextDecoder('latin1').decode(bytes);
    const parts = this.#text.split('}');
    this.#text = (parts.pop() ?? '').slice(-LONGEST);
    return parts.flatMap((part) => parseSize(`${part}}`));
  }
}

function parseSize(text: string): readonly TerminalSize[] {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('Width' in value) || !('Height' in value)) return [];
    const { Width: cols, Height: rows } = value;
    return isSize(cols) && isSize(rows) ? [{ cols, rows }] : [];
  } catch {
    return [];
  }
}

/** The kernel keeps a terminal's size in 16 bits. */
function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff;
}
