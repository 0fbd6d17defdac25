/** Whether a word is one of many, as instructions: a tree of comparisons, so that many cost few. */

import { goto, jump32, type Line, type Register } from '#wire/bpf/assemble.ts';

/** How many are compared one after the other. */
const LEAF = 4;

/** Jumps to `found` if the low 32 bits of `register` are one of `words` (each a 32-bit number, signed or not), else to `none`. */
export function oneOf(register: Register, words: readonly number[], found: string, none: string): Line[] {
  const sorted = [...new Set(words.map((word) => word >>> 0))].sort((a, b) => a - b);
  return tree(register, sorted, found, none, 'one-of');
}

function tree(register: Register, words: readonly number[], found: string, none: string, name: string): Line[] {
  if (words.length <= LEAF) return [...words.map((word) => jump32(register, '==', word | 0, found)), goto(none)];
  const middle = words.length >> 1;
  return [
    jump32(register, '>', (words[middle - 1] ?? 0) | 0, `${name}+`),
    ...tree(register, words.slice(0, middle), found, none, `${name}-`),
    { label: `${name}+` },
    ...tree(register, words.slice(middle), found, none, `${name}+`),
  ];
}
