/** Sessions that do not come up since the two sides have different passwords: TCP says nothing of it, the kernel counts. */

import type { BgpSession, BgpState } from '#calc/bgp/state.ts';
import { problem } from '#calc/routes/problems.ts';
import type { Problem } from '#calc/state.ts';

/** Packets that the kernel has dropped lately, by the reason. */
export interface BadSignatures {
  readonly failure: number;
  readonly notFound: number;
  readonly unexpected: number;
}

/** Which session the packets were of nobody can say: every one that they fit and that does not stand is named. */
export function signatureProblems(state: BgpState, down: ReadonlySet<string>, bad: BadSignatures): Problem[] {
  const sessions = state.sessions.filter(({ name }) => down.has(name));
  return sessions.flatMap((session) => {
    const what = whatIsWrong(session, bad);
    const about = { peer: session.origin, addr: session.addr };
    return what === undefined ? [] : [problem('bgp-signature', state.node, { ...about, what })];
  });
}

function whatIsWrong({ password: key }: BgpSession, bad: BadSignatures): string | undefined {
  if (key === undefined) {
    return bad.unexpected > 0 ? 'packets come with a TCP MD5 signature, though no password is set here' : undefined;
  }
  const place = `Secret kube-system/${key.name}, key ${key.key}`;
  if (bad.failure > 0) return `packets come whose TCP MD5 signature is not by the password in ${place}`;
  return bad.notFound > 0
    ? `packets come without a TCP MD5 signature, though a password is set in ${place}`
    : undefined;
}
