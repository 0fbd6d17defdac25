/** What the kernel has dropped for a TCP MD5 signature (RFC 2385): counters of a network namespace since its beginning. */

import { readFileSync } from 'node:fs';
import { inNetns, type NetnsRef } from '#kernel/netns/enter.ts';

/** As linux/net/ipv4/proc.c names them. */
export interface SignatureCounts {
  /** Signed by another password. */
  readonly failure: number;
  /** Not signed, where a password is set. */
  readonly notFound: number;
  /** Signed, where none is. */
  readonly unexpected: number;
}

/** Of this thread's own namespace if `ns` is absent. @throws Error if /proc is not there. */
export function readSignatureCounts(ns?: NetnsRef): SignatureCounts {
  const read = () => readFileSync('/proc/thread-self/net/netstat', 'utf8');
  return signatureCounts(ns === undefined ? read() : inNetns(ns, read));
}

/** From the text of /proc/net/netstat: a line of names, then one of numbers. A kernel without such counters has 0. */
export function signatureCounts(text: string): SignatureCounts {
  const [names = [], numbers = []] = text
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(' '));
  const of = (name: string) => Number(numbers[names.indexOf(name)] ?? 0);
  return { failure: of('TCPMD5Failure'), notFound: of('TCPMD5NotFound'), unexpected: of('TCPMD5Unexpected') };
}
