/** Cuts a stream of text into the JSON values that stand one a line. */

import type { Readable } from 'node:stream';

/**
 * Yields each line's value as it arrives.
 * @throws Error if the stream ends in the middle of a line, and whatever the stream itself throws.
 * @throws SyntaxError if a line is not JSON.
 */
export async function* jsonLines(stream: Readable): AsyncGenerator<unknown> {
  stream.setEncoding('utf8');
  // Pieces of the line that has not ended: joined once, so that a long line costs no more than its length.
  const pending: string[] = [];
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = chunk.split('\n');
    const rest = lines.pop() ?? '';
    for (const line of lines) {
      const whole = pending.length === 0 ? line : pending.join('') + line;
      pending.length = 0;
      if (whole.trim() !== '') yield JSON.parse(whole);
    }
    if (rest !== '') pending.push(rest);
  }
  if (pending.join('').trim() !== '') throw new Error('the stream ended in the middle of a line');
}
