/** What must be reloaded after `configure soft`, which lets old routes stand as old filters had them. */

import type { BirdConf, FilterRef, Protocol } from '#wire/bird/conf.ts';

/** Commands for the protocols that both have, and whose filters do something else than before. */
export function reloads(before: BirdConf, after: BirdConf): string[] {
  const old = new Map(before.protocols.map((protocol) => [protocol.name, protocol]));
  const [was, is] = [bodiesOf(before), bodiesOf(after)];
  return after.protocols.flatMap((protocol) => {
    const earlier = old.get(protocol.name);
    if (earlier === undefined) return [];
    const differs = (way: 'import' | 'export'): boolean =>
      refsOf(protocol, way).map(is).join('\n') !== refsOf(earlier, way).map(was).join('\n');
    return [
      ...(differs('import') ? [`reload in ${protocol.name}`] : []),
      ...(differs('export') ? [`reload out ${protocol.name}`] : []),
    ];
  });
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
