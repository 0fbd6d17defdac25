/** Ethernet addresses as canonical text: six lower-case octets, `ee:ee:ee:ee:ee:ee`. */

declare const macBrand: unique symbol;
export type Mac = string & { readonly [macBrand]: true };

const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;
/** `02-42-ac-11-00-02` (IEEE 802) and `0242.ac11.0002`, which Go's programs read, too. */
const OTHER = /^(?:[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2})$/;

/** Undefined unless the text is six octets in hexadecimal: parted by colons or hyphens, or in pairs by dots. */
export function readMac(text: string): Mac | undefined {
  const lower = text.toLowerCase();
  const colons = OTHER.test(lower) ? (lower.replaceAll(/[.-]/g, '').match(/../g) ?? []).join(':') : lower;
  return MAC.test(colons) ? (colons as Mac) : undefined;
}

/** @throws SyntaxError if the text is no Ethernet address. */
export function parseMac(text: string): Mac {
  const mac = readMac(text);
  if (mac === undefined)
    throw new SyntaxError(`Cannot read "${text}" as an Ethernet address such as 02:42:ac:11:00:02`);
  return mac;
}

/** Six bytes. */
export function macBytes(mac: Mac): Uint8Array {
  const bytes = new Uint8Array(6);
  for (let i = 0; i < 6; i++) bytes[i] = Number.parseInt(mac.slice(3 * i, 3 * i + 2), 16);
  return bytes;
}

/** @throws RangeError unless there are six bytes. */
export function macFromBytes(bytes: Uint8Array): Mac {
  if (bytes.length !== 6) throw new RangeError(`Cannot make an Ethernet address of ${bytes.length} bytes: it has 6`);
  let text = '';
  for (let i = 0; i < 6; i++) text += `${i === 0 ? '' : ':'}${octetText(bytes[i] ?? 0)}`;
  return text as Mac;
}

function octetText(octet: number): string {
  return `${DIGITS[octet >> 4]}${DIGITS[octet & 15]}`;
}

const DIGITS = '0123456789abcdef';

/** Makes of any six bytes a locally administered unicast address (IEEE 802: bit 1 set, bit 0 clear of the first octet). */
export function localMac(bytes: Uint8Array): Mac {
  const own = bytes.slice();
  own[0] = ((own[0] ?? 0) & 0xfe) | 0x02;
  return macFromBytes(own);
}
