/**
 * Which ways of carrying packets a node takes and uses: what nodes tell one another while a cluster changes from one way
 * to another, in the annotation `polder.dev/ways` of each Node.
 */

/** Annotation of a Node: JSON `{"accepts":["vxlan"],"sends":["vxlan"]}`. */
export const WAYS_ANNOTATION = 'polder.dev/ways';

/** The better protected and the more specific first: the order in which they are said. */
export const WAY_KINDS = ['wireguard', 'bgp', 'ipip', 'vxlan', 'direct'] as const;

/** `direct`: as it is, by the nodes' own addresses; `bgp`: by routes that a BGP speaker puts in, and takes away. */
export type WayKind = (typeof WAY_KINDS)[number];

export interface SaidWays {
  /** Packets that come by these are delivered: what the settings ask for, and what somebody still sends by. */
  readonly accepts: readonly WayKind[];
  /** Packets to others may leave by these. */
  readonly sends: readonly WayKind[];
}

/** Undefined if the text is none. Kinds of later versions are passed over. */
export function readWays(text: string): SaidWays | undefined {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const { accepts, sends } = value as Partial<Record<keyof SaidWays, unknown>>;
  return Array.isArray(accepts) && Array.isArray(sends)
    ? { accepts: inOrder(new Set(accepts)), sends: inOrder(new Set(sends)) }
    : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One text for one value. */
export function printWays({ accepts, sends }: SaidWays): string {
  return JSON.stringify({ accepts, sends });
}

export function inOrder(kinds: ReadonlySet<unknown>): WayKind[] {
  return WAY_KINDS.filter((kind) => kinds.has(kind));
}
