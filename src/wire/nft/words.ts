/** Names and quoted text as nft's grammar takes them. */

const NAME = /^[A-Za-z_][\w/\\.-]*$/;
const MAX_NAME = 255;
const MAX_COMMENT = 128;
const bytes = new TextEncoder();

/** A table's, chain's or set's name. @throws RangeError if nft would not take it as one. */
export function name(text: string): string {
  if (!NAME.test(text) || text.length > MAX_NAME) throw new RangeError(`Cannot use "${text}" as a name in nftables`);
  return text;
}

/** Text in quotation marks; nft has no way to write one inside. @throws RangeError if there is one, or a line's end. */
export function quoted(text: string): string {
  if (/["\n\0]/.test(text))
    throw new RangeError(`Cannot write ${JSON.stringify(text)} in nftables: it holds a quotation mark or a line's end`);
  return `"${text}"`;
}

/** ` comment "…"`, or nothing. @throws RangeError if it is longer than 128 bytes. */
export function comment(text: string | undefined): string {
  if (text === undefined) return '';
  if (bytes.encode(text).length > MAX_COMMENT)
    throw new RangeError(`Cannot use a comment of more than ${MAX_COMMENT} bytes in nftables`);
  return ` comment ${quoted(text)}`;
}
