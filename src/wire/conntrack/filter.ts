/** Which connections are meant, and the line of conntrack(8) that means the same. */

import { familyOf } from '#net/addr.ts';
import type { Connection, ConnectionFilter } from '#wire/conntrack/values.ts';

export function fits({ original, reply }: Connection, filter: ConnectionFilter): boolean {
  const pairs: readonly (readonly [wanted: unknown, have: unknown])[] = [
    [filter.family, familyOf(original.source)],
    [filter.protocol, original.protocol],
    [filter.source, original.source],
    [filter.destination, original.destination],
    [filter.destinationPort, original.destinationPort],
    [filter.replySource, reply.source],
    [filter.replySourcePort, reply.sourcePort],
  ];
  return pairs.every(([wanted, have]) => wanted === undefined || wanted === have);
}

/** `conntrack -D …` */
export function printDeletion(filter: ConnectionFilter): string {
  const words: readonly (readonly [string, string | number | undefined])[] = [
    ['-f', filter.family === undefined ? undefined : `ipv${filter.family}`],
    ['-p', filter.protocol],
    ['--orig-src', filter.source],
    ['--orig-dst', filter.destination],
    ['--orig-port-dst', filter.destinationPort],
    ['--reply-src', filter.replySource],
    ['--reply-port-src', filter.replySourcePort],
  ];
  return ['conntrack -D', ...words.flatMap(([word, value]) => (value === undefined ? [] : [word, value]))].join(' ');
}
