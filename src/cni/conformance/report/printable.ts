/** Plugins may print what they like: on a terminal it must not colour, move or hide anything. */

/** Control characters, and those that turn the direction of text, as escapes; lines stay. */
export function printable(text: string): string {
  return text.replaceAll(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, escaped);
}

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  return code > 0xff ? `\\u{${code.toString(16)}}` : `\\x${code.toString(16).padStart(2, '0')}`;
}
