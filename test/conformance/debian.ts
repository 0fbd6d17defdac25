/** What of the suite must be tried on Debian's kernel, since kernels at hand may lack it. */

import type { Choice } from '#test/conformance/sets.ts';

/** These types have one case at all here, that they are refused; and of `bridge` its VLANs. */
export const DEBIAN_TYPES = ['bridge', 'vlan', 'ipvlan', 'dummy', 'vrf'] as const;

const CASES = /^(vlan|ipvlan|dummy|vrf)\/|^bridge\/add\.effect\.(vlan|preserveDefaultVlan)/;

/** @param types if empty: all of them */
export function onDebian(types: readonly string[]): Pick<Choice, 'types' | 'grep'> {
  return { types: DEBIAN_TYPES.filter((type) => types.length === 0 || types.includes(type)), grep: CASES };
}
