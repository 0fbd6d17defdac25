/** CNI_ARGS: `KEY=VALUE;KEY=VALUE` (CNI spec 1.1.0, "Parameters"). */

import { PolderError } from '#spec/errors.ts';

/** Keys in the order given; a later one of the same name wins. @throws PolderError cni-environment (CNI code 4). */
export function parseArgs(text: string): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  if (text === '') return args;
  for (const pair of text.split(';')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    if (at <= 0) throw new PolderError('cni-environment', { what: `Invalid CNI_ARGS: "${pair}" is not KEY=VALUE` });
    args.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return args;
}

export function formatArgs(args: Iterable<readonly [string, string]>): string {
  return Array.from(args, ([key, value]) => `${key}=${value}`).join(';');
}
