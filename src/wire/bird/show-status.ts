/** `show status` and `show bfd sessions`. */

import { type Addr, readAddr } from '#net/addr.ts';
import { type Reply, textsOf } from '#wire/bird/reply.ts';

export interface DaemonStatus {
  /** `2.0.12` */
  readonly version: string;
  readonly routerId: string;
  /** As `timeformat base` has it. */
  readonly serverTime: string;
  readonly lastReboot: string;
  readonly lastReconfiguration: string;
  /** `Daemon is up and running`, or what it does instead. */
  readonly summary: string;
  readonly gracefulRestart: boolean;
}

/** @throws SyntaxError if it is no status. */
export function readStatus(reply: Reply): DaemonStatus {
  const version = /^BIRD (\S+)/.exec(textsOf(reply, 1000)[0] ?? '')?.[1];
  if (version === undefined) throw new SyntaxError('Cannot read BIRD’s status: no version');
  const texts = textsOf(reply, 1011);
  const after = (words: string): string => texts.find((text) => text.startsWith(words))?.slice(words.length) ?? '';
  return {
    version,
    routerId: after('Router ID is '),
    serverTime: after('Current server time is '),
    lastReboot: after('Last reboot on '),
    lastReconfiguration: after('Last reconfiguration on '),
    summary: textsOf(reply, 13)[0] ?? '',
    gracefulRestart: reply.lines.some(({ text }) => /Graceful restart recovery in progress/i.test(text)),
  };
}

export interface BfdSession {
  readonly addr: Addr;
  /** `---` across hops. */
  readonly ifname: string;
  readonly state: string;
  readonly since: string;
  /** Seconds. */
  readonly interval: number;
  readonly timeout: number;
}

const BFD = /^(\S+)\s+(\S+)\s+(\S+)\s+(\S+ \S+)\s+([\d.]+)\s+([\d.]+)\s*$/;

export function readBfdSessions(reply: Reply): BfdSession[] {
  return textsOf(reply, 1020).flatMap((text) => {
    const [, where, ifname, state, since, interval, timeout] = BFD.exec(text) ?? [];
    const addr = readAddr(where ?? '');
    if (addr === undefined || ifname === undefined || state === undefined || since === undefined) return [];
    return [{ addr, ifname, state, since, interval: Number(interval), timeout: Number(timeout) }];
  });
}
