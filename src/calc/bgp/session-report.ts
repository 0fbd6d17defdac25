/** Sessions as they are wanted, beside what BIRD says of them: the rows of `polder bgp status`. */

import type { BgpState, PeerType } from '#calc/bgp/state.ts';
import { type Addr, type Family, familyOf } from '#net/addr.ts';
import type { ProtocolState } from '#wire/bird/show-protocols.ts';
import type { BfdSession } from '#wire/bird/show-status.ts';

export interface SessionReport {
  /** Of BIRD's protocol. */
  readonly name: string;
  readonly addr: Addr;
  readonly port: number;
  readonly family: Family;
  readonly type: PeerType;
  /** What asks for it: `node node2`, `BGPPeer tor`. */
  readonly origin: string;
  readonly asNumber: number;
  /** `up`, `start`, `down`; `---` where BIRD does not know the session. */
  readonly state: string;
  /** `2026-11-29 03:00:22.917298` */
  readonly since: string;
  /** `Established`, or what stands in the way. */
  readonly info: string;
  /** Routes; those that the import filter rejects are `filtered`. */
  readonly imported: number;
  readonly filtered: number;
  readonly exported: number;
  /** Of BFD, where it watches over the session. */
  readonly bfd?: string;
}

/** In the order of the state's sessions. */
export function sessionReports(
  state: BgpState,
  protocols: readonly ProtocolState[],
  bfd: readonly BfdSession[],
): SessionReport[] {
  return state.sessions.map(({ name, addr, port, type, origin, asNumber, bfd: watched }) => {
    const found = protocols.find((protocol) => protocol.name === name);
    const family = familyOf(addr);
    const channel = found?.channels.find((each) => each.family === family);
    const watch = bfd.find((each) => each.addr === addr)?.state ?? 'Down';
    return {
      ...{ name, addr, port, family, type, origin, asNumber },
      state: found?.state ?? '---',
      since: found?.since ?? '',
      info: found ? found.info || found.bgp?.state || '' : 'BIRD has no such session yet',
      imported: channel?.imported ?? 0,
      filtered: channel?.filtered ?? 0,
      exported: channel?.exported ?? 0,
      ...(watched ? { bfd: watch } : {}),
    };
  });
}
