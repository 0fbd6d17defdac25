/** What a kind of interface must say for itself to stand in the table of `link-kinds.ts`. */

import type { IndexToName, NameToIndex } from '#wire/netlink/names.ts';
import type { Attrs } from '#wire/netlink/reader.ts';
import type { LinkInfo } from '#wire/netlink/values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

export type InfoOf<K extends LinkInfo['kind']> = Extract<LinkInfo, { kind: K }>;

export interface KindRow<I extends LinkInfo> {
  /** Writes what stands in IFLA_INFO_DATA. */
  write(writer: Writer, info: I, names: NameToIndex): void;
  /** Reads it; of a kind whose data are missing, what the kernel's defaults are. */
  read(data: Attrs, names: IndexToName): I;
  /** Interfaces that must exist before. */
  needs(info: I): readonly string[];
  /** What stands after `type KIND` in iproute2's syntax. */
  print(info: I): readonly (string | number)[];
}

/** Of a kind that has nothing beside the common attributes. */
export function bareKind<I extends LinkInfo>(info: I): KindRow<I> {
  return { write() {}, read: () => info, needs: () => [], print: () => [] };
}

/** A word and its number, both ways; `fallback` stands for a number that is absent or unknown. */
export function words<W extends string>(numbers: Readonly<Record<W, number>>, fallback: W) {
  const names = new Map<number, W>();
  for (const word of Object.keys(numbers) as W[]) names.set(numbers[word], word);
  return {
    number: (word: W): number => numbers[word],
    word: (number: number | undefined): W => (number === undefined ? fallback : (names.get(number) ?? fallback)),
  };
}
