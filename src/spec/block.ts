/**
 * A block of a pool: which node it belongs to and what its addresses are given for. Read from and written as Calico's
 * IPAMBlock, whose arrays are awkward to think with.
 */

import { type Addr, addrFromBigInt, addrToBigInt, bitsOf } from '#net/addr.ts';
import { contains, firstAddr, lengthOf, type Prefix, prefixFamily, readPrefix } from '#net/prefix.ts';
import type { AllocationAttribute, IpamBlock } from '#spec/calico.ts';

/** What an address is given for. */
export interface Allocation {
  /** `NETWORK.CONTAINER` for pods, as Calico's plugin says it. */
  readonly handle: string;
  /** The node that has it; '' if nobody said. */
  readonly node: string;
  /** What else is said: pod, namespace, timestamp, type. */
  readonly notes: Readonly<Record<string, string>>;
}

export interface Block {
  readonly cidr: Prefix;
  /** The node that it belongs to; undefined: nobody's. */
  readonly owner: string | undefined;
  /** Given addresses by their place in the block. */
  readonly given: ReadonlyMap<number, Allocation>;
  /** Free places, the one to be given next first: freed ones go to the end. */
  readonly free: readonly number[];
  /** Nodes that ask for single addresses that another one keeps in stock. */
  readonly wishes: ReadonlyMap<Addr, string>;
}

/** Asks the node that keeps an address in stock for it: `{"10.244.1.5":"node2"}`. */
export const WANTED_ANNOTATION = 'polder.dev/wanted';

/** Name of the IPAMBlock: Calico's, `10-244-1-0-26`. */
export function blockName(cidr: Prefix): string {
  return cidr.replace(/[./:]/g, '-');
}

/** Name of the BlockAffinity by which a node claims a block. */
export function affinityName(node: string, cidr: Prefix): string {
  return `${node}-${blockName(cidr)}`;
}

/** How many addresses it has. Blocks are at least /20 or /116. */
export function blockCapacity(cidr: Prefix): number {
  return 2 ** (bitsOf(prefixFamily(cidr)) - lengthOf(cidr));
}

export function addrAt(cidr: Prefix, place: number): Addr {
  return addrFromBigInt(addrToBigInt(firstAddr(cidr)) + BigInt(place), prefixFamily(cidr));
}

/** Its place in the block; undefined if it is not of it. */
export function placeOf(cidr: Prefix, addr: Addr): number | undefined {
  return contains(cidr, addr) ? Number(addrToBigInt(addr) - addrToBigInt(firstAddr(cidr))) : undefined;
}

/** A block that nobody had, for its new owner. */
export function newBlock(cidr: Prefix, owner: string | undefined): Block {
  const free = Array.from({ length: blockCapacity(cidr) }, (_, place) => place);
  return { cidr, owner, given: new Map(), free, wishes: new Map() };
}

/** Gives free places; places that are given already get the new allocation. */
export function give(block: Block, places: readonly number[], allocation: Allocation): Block {
  const now = new Set(places);
  const given = new Map([...block.given, ...places.map((place) => [place, allocation] as const)]);
  return { ...block, given, free: block.free.filter((place) => !now.has(place)) };
}

/** Frees places, which are given again after all others. */
export function release(block: Block, places: readonly number[]): Block {
  const gone = new Set(places.filter((place) => block.given.has(place)));
  const given = new Map([...block.given].filter(([place]) => !gone.has(place)));
  return { ...block, given, free: [...block.free, ...gone] };
}

/** Undefined if the object is no block that can be understood. */
export function readBlock(object: IpamBlock): Block | undefined {
  const { spec, metadata } = object;
  const cidr = typeof spec?.cidr === 'string' ? readPrefix(spec.cidr) : undefined;
  if (cidr === undefined || !Array.isArray(spec.allocations) || spec.allocations.length !== blockCapacity(cidr)) {
    return undefined;
  }
  const given = new Map<number, Allocation>();
  spec.allocations.forEach((index: number | null, place: number) => {
    if (index !== null) given.set(place, allocationOf(spec.attributes?.[index]));
  });
  const listed = (spec.unallocated ?? []).filter((place) => !given.has(place) && place < blockCapacity(cidr));
  const rest = Array.from({ length: blockCapacity(cidr) }, (_, place) => place).filter((place) => !given.has(place));
  const free = [...new Set([...listed, ...rest])];
  return { cidr, owner: ownerOf(spec.affinity), given, free, wishes: wishesOf(metadata.annotations) };
}

function ownerOf(affinity: string | undefined): string | undefined {
  return affinity?.startsWith('host:') ? affinity.slice('host:'.length) : undefined;
}

function allocationOf(attribute: AllocationAttribute | undefined): Allocation {
  const { node = '', ...notes } = attribute?.secondary ?? {};
  return { handle: attribute?.handle_id ?? '', node, notes };
}

function wishesOf(annotations: Readonly<Record<string, string>> | undefined): Map<Addr, string> {
  try {
    const wishes: unknown = JSON.parse(annotations?.[WANTED_ANNOTATION] ?? '{}');
    const entries = typeof wishes === 'object' && wishes !== null ? Object.entries(wishes) : [];
    return new Map(entries.filter((entry): entry is [Addr, string] => typeof entry[1] === 'string'));
  } catch {
    return new Map();
  }
}

/** The block as it is written; `base` is what was read, if there was something: its version makes the write a compare-and-swap. */
export function writeBlock(block: Block, base?: IpamBlock): IpamBlock {
  const attributes: AllocationAttribute[] = [];
  const index = new Map<string, number>();
  const allocations = new Array<number | null>(blockCapacity(block.cidr)).fill(null);
  for (const [place, allocation] of [...block.given].sort(([a], [b]) => a - b)) {
    const attribute = attributeOf(allocation);
    const key = JSON.stringify(attribute);
    if (!index.has(key)) index.set(key, attributes.push(attribute) - 1);
    allocations[place] = index.get(key) ?? null;
  }
  const sequence = (base?.spec.sequenceNumber ?? 0) + 1;
  return {
    apiVersion: 'crd.projectcalico.org/v1',
    kind: 'IPAMBlock',
    metadata: { ...base?.metadata, name: blockName(block.cidr), ...annotationsOf(block, base) },
    spec: {
      cidr: block.cidr,
      ...(block.owner !== undefined && { affinity: `host:${block.owner}` }),
      allocations,
      unallocated: block.free,
      attributes,
      sequenceNumber: sequence,
      sequenceNumberForAllocation: sequencesOf(block, base, sequence),
      deleted: false,
      strictAffinity: false,
    },
  };
}

function attributeOf({ handle, node, notes }: Allocation): AllocationAttribute {
  const secondary = { ...(node !== '' && { node }), ...notes };
  return { ...(handle !== '' && { handle_id: handle }), ...(Object.keys(secondary).length > 0 && { secondary }) };
}

function annotationsOf(block: Block, base: IpamBlock | undefined): { annotations?: Record<string, string> } {
  const { [WANTED_ANNOTATION]: _, ...others } = base?.metadata.annotations ?? {};
  const wishes =
    block.wishes.size === 0 ? {} : { [WANTED_ANNOTATION]: JSON.stringify(Object.fromEntries(block.wishes)) };
  const annotations = { ...others, ...wishes };
  return Object.keys(annotations).length > 0 || base?.metadata.annotations ? { annotations } : {};
}

/** The sequence number at which each address was given: kept while it stays given. */
function sequencesOf(block: Block, base: IpamBlock | undefined, sequence: number): Record<string, number> {
  const before = base?.spec.sequenceNumberForAllocation ?? {};
  return Object.fromEntries([...block.given.keys()].map((place) => [`${place}`, before[place] ?? sequence]));
}

/** Whether two blocks say the same. */
export function sameBlock(a: Block, b: Block): boolean {
  const text = ({ cidr, owner = '', given, free, wishes }: Block) =>
    JSON.stringify([cidr, owner, [...given].sort(([x], [y]) => x - y), free, [...wishes]]);
  return text(a) === text(b);
}
