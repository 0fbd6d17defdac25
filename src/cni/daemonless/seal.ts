/** Texts of programs that carry their own digest, by which a damaged one is found out. */

import { createHash } from 'node:crypto';

const SEAL = '// sha256 ';

/** @param text whole lines */
export function seal(text: string): string {
  return `${text}${SEAL}${digest(text)}\n`;
}

export function isSealed(text: string): boolean {
  const at = text.lastIndexOf(SEAL);
  return at >= 0 && seal(text.slice(0, at)) === text;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
