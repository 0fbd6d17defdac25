/** What must be reloaded after `configure soft`, which lets old routes stand as old filters had them. */

import type { BirdConf, FilterRef, Protocol } from '#wire/bird/conf.ts';

/**
 * So many commands one after another cost more than a feed to sessions that need none: BIRD feeds those that were asked
 * for, a part of each, before it takes the next command.
 */
const FEW = 8;

/** Commands for the protocols that both have, and whose filters do something else than before. */
export function reloads(before: BirdConf, after: BirdConf): string[] {
  const old = new Map(before.protocols.map((protocol) => [protocol.name, protocol]));
  const [was, is] = [bodiesOf(before), bodiesOf(after)];
  const differs = (protocol: Protocol, way: 'import' | 'export'): boolean => {
    const earlier = old.get(protocol.name);
    if (earlier === undefined) return false;
    return refsOf(protocol, way).map(is).join('\n') !== refsOf(earlier, way).map(was).join('\n');
  };
  return (['import', 'export'] as const).flatMap((way) => {
    const names = after.protocols.filter((protocol) => differs(protocol, way)).map(({ name }) => name);
    return together(names).map((which) => `reload ${way === 'import' ? 'in' : 'out'} ${which}`);
  });
}

/** Names that begin alike, up to the first `_`, as one pattern where there are many. */
function together(names: readonly string[]): string[] {
  const groups = Map.groupBy(names, (name) => name.slice(0, name.indexOf('_') + 1));
  return [...groups].flatMap(([prefix, all]) => (prefix === '' || all.length <= FEW ? all : [`"${prefix}*"`]));
}

function refsOf(protocol: Protocol, way: 'import' | 'export'): FilterRef[] {
  if (protocol.kind === 'bgp') return protocol.channels.map((channel) => channel[way]);
  return protocol.kind === 'kernel' ? [protocol.channel[way]] : [];
}

function bodiesOf({ filters }: BirdConf): (ref: FilterRef) => string {
  const byName = new Map(filters.map(({ name, body }) => [name, body]));
  const printed = new Map<string, string>();
  return (ref) => {
    if (typeof ref === 'string') return ref;
    const known = printed.get(ref.filter) ?? JSON.stringify(byName.get(ref.filter) ?? []);
    printed.set(ref.filter, known);
    return known;
  };
}
