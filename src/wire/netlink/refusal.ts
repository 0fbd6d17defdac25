/** A refused operation as an error for people. */

import { PolderError } from '#spec/errors.ts';
import { missingFeature } from '#wire/netlink/missing.ts';
import { printOp } from '#wire/netlink/print.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

export interface Refusal {
  readonly op: NetlinkOp;
  /** errno's name. */
  readonly code: string;
  /** The kernel's own words, if it gave any. */
  readonly text?: string;
}

/** What the codes mean that rtnetlink gives most. Source: errno(3), the messages of iproute2's users. */
const REASONS: Readonly<Record<string, string>> = {
  EEXIST: 'there is one already',
  ENOENT: 'there is none',
  ESRCH: 'there is none',
  ENODEV: 'there is no such interface',
  EADDRNOTAVAIL: 'there is no such address',
  ENETUNREACH: 'the gateway cannot be reached from here',
  ENETDOWN: 'the interface is down',
  EHOSTUNREACH: 'the gateway cannot be reached from here',
  EBUSY: 'it is in use',
  EINVAL: 'a value does not fit',
  ERANGE: 'a value is out of range',
  EPERM: 'this process may not change the network',
};

/** `kernel-feature-missing` with the feature, or `kernel-refused` with the line that does the same by hand. */
export function refusalError({ op, code, text }: Refusal): PolderError {
  const feature = missingFeature(op, code);
  if (feature !== undefined)
    return new PolderError('kernel-feature-missing', { feature, detail: text ? `: ${text}` : '' });
  const reason = text ?? REASONS[code];
  return new PolderError('kernel-refused', {
    command: printOp(op),
    reason: reason === undefined ? code : `${reason} (${code})`,
  });
}
