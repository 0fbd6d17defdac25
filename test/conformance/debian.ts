/** What of the suite must be tried on Debian's kernel, since kernels at hand may lack it. */

import type { Choice } from '#test/conformance/sets.ts';

/** Of these types only the protocol can be tried where the kernel lacks them, and of `bridge` not its VLANs. */
export const DEBIAN_TYPES = ['bridge', 'vlan', 'ipvlan', 'dummy', 'vrf'] as const;

/** All but those of the protocol, which are told for the kernel at hand. */
const WHOLE =
  /^(bridge\/(add\.effect\.(vlan|preserveDefaultVlan)|traffic\.vlan)|(vlan|ipvlan|dummy|vrf)\/(?!version\.|error\.|(input|env)\.(?!unknown-keys|big|huge|deep|kubernetes|foreign|bad-args)))/;

/** What compares states, works in parallel or is killed takes minutes in an emulated machine. */
const QUICK =
  /^(bridge\/(add\.effect\.(vlan|preserveDefaultVlan)|traffic\.vlan)|(vlan|ipvlan|dummy|vrf)\/(versions\.1\.|add\.(result|interfaces|addresses|routes|effect|name-taken)|chain\.keeps|del\.(clean|twice)|check|status|traffic))/;

/** Where everything takes twenty times as long, calls are killed at so many moments. */
export const DEBIAN_KILLS = 2;

/** @param types if empty: all of them @param quick without what takes minutes there @param grep of them only these */
export function onDebian(types: readonly string[], quick = false, grep = ''): Pick<Choice, 'types' | 'grep' | 'kills'> {
  const wanted = DEBIAN_TYPES.filter((type) => types.length === 0 || types.includes(type));
  return { types: wanted, grep: new RegExp(`(?=.*(?:${grep}))${(quick ? QUICK : WHOLE).source}`), kills: DEBIAN_KILLS };
}
