/** What of the suite must be tried on Debian's kernel, since kernels at hand may lack it. */

import type { Choice } from '#test/conformance/sets.ts';

/** Of these types only the protocol can be tried where the kernel lacks them, and of `bridge` not its VLANs. */
export const DEBIAN_TYPES = ['bridge', 'vlan', 'ipvlan', 'dummy', 'vrf'] as const;

/** All but those of the protocol, which are told for the kernel at hand. */
const WHOLE =
  /^(bridge\/add\.effect\.(vlan|preserveDefaultVlan)|(vlan|ipvlan|dummy|vrf)\/(?!version\.|error\.|(input|env)\.(?!unknown-keys|big|kubernetes|foreign|bad-args)))/;

/** What compares states, works in parallel or is killed takes minutes in an emulated machine. */
const QUICK =
  /^(bridge\/add\.effect\.(vlan|preserveDefaultVlan)|(vlan|ipvlan|dummy|vrf)\/(versions\.1\.|add\.(result|interfaces|addresses|routes|effect|name-taken)|chain\.keeps|del\.(clean|twice)|check|status|traffic\.pods))/;

/** @param types if empty: all of them @param whole the slow cases, too */
export function onDebian(types: readonly string[], whole = false): Pick<Choice, 'types' | 'grep'> {
  const wanted = DEBIAN_TYPES.filter((type) => types.length === 0 || types.includes(type));
  return { types: wanted, grep: whole ? WHOLE : QUICK };
}
