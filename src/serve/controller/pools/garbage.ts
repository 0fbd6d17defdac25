/**
 * Takes back what nodes left behind that are no more: their blocks, and addresses that they borrowed. A living node
 * looks after its own, by its own journal; nobody else touches what it has.
 *
 * Two observations: a block is marked when its node is first missed, and taken back when the mark is old enough and the
 * node still missing. Before a whole block is deleted the API itself is asked for the Node. Before a block is taken back
 * in part (borrowed addresses) it is not asked: such a write is refused only if the block has changed since.
 */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import { timeOf, timestamp, type World } from '#serve/controller/world.ts';
import { type Decision, decision, NOTHING, sooner, type Write } from '#serve/controller/write.ts';
import { type Block, readBlock, release, writeBlock } from '#spec/block.ts';
import { BLOCK_AFFINITIES, type BlockAffinity, IPAM_BLOCKS, type IpamBlock } from '#spec/calico.ts';
import { NODES } from '#spec/k8s.ts';

/** When a node of a block was first missed. */
export const MISSED_ANNOTATION = 'polder.dev/node-missed-since';

/** One key a block, and one for the affinities that belong to none. */
const AFFINITIES = 'affinities';

/** @param graceMs how long a node is missed before what it had is taken back */
export function poolGarbage(graceMs: number): Controller {
  return {
    name: 'ipam-gc',
    needs: [NODES, IPAM_BLOCKS, BLOCK_AFFINITIES],
    keys: (world) => [...world.of(IPAM_BLOCKS).keys(), AFFINITIES],
    wake(resource, change, world) {
      if (isOf(IPAM_BLOCKS, resource, change)) return [change.key];
      const isNew = change.type === 'delete' || change.previous === undefined;
      return isOf(NODES, resource, change) && isNew ? [...world.of(IPAM_BLOCKS).keys(), AFFINITIES] : [];
    },
    decide: (world, key) => (key === AFFINITIES ? affinities(world, graceMs) : decideBlock(world, key, graceMs)),
  };
}

function decideBlock(world: World, key: string, graceMs: number): Decision {
  const object = world.of(IPAM_BLOCKS).get(key);
  const block = object && readBlock(object);
  if (object === undefined || block === undefined) return NOTHING;
  const gone = missing(world, block);
  const since = object.metadata.annotations?.[MISSED_ANNOTATION];
  if (gone.length === 0) return since === undefined ? NOTHING : decision([mark(object, null)]);
  if (since === undefined) return decision([mark(object, timestamp(world.now))], graceMs);
  const left = timeOf(since) + graceMs - world.now;
  return left > 0 ? decision([], left) : decision(takeBack(world, object, block, gone));
}

/** Nodes that the block speaks of and that are no more. */
function missing(world: World, { owner, given }: Block): string[] {
  const named = [owner, ...[...given.values()].map(({ node }) => node)].filter(
    (node) => node !== undefined && node !== '',
  );
  return [...new Set(named)].filter((node) => node !== undefined && !world.of(NODES).has(node)).map(String);
}

function mark(object: IpamBlock, since: string | null): Write {
  const patch = { metadata: { annotations: { [MISSED_ANNOTATION]: since } } };
  return { verb: 'patch', resource: IPAM_BLOCKS, base: object, patch };
}

/** A block that only its owner used goes as a whole; of another only what those nodes had. */
function takeBack(world: World, object: IpamBlock, block: Block, gone: readonly string[]): Write[] {
  const places = [...block.given].filter(([, { node }]) => gone.includes(node)).map(([place]) => place);
  const orphan = block.owner !== undefined && gone.includes(block.owner);
  const [first = ''] = gone;
  const ifGone = { resource: NODES, key: { name: first } };
  if (orphan && places.length === block.given.size && gone.length === 1) {
    return [{ verb: 'delete', resource: IPAM_BLOCKS, object, ifGone }, ...affinitiesOf(world, first)];
  }
  const left = release(orphan ? { ...block, owner: undefined } : block, places);
  const { spec } = writeBlock(left, object);
  const metadata = { annotations: { [MISSED_ANNOTATION]: null } };
  return [
    {
      verb: 'patch',
      resource: IPAM_BLOCKS,
      base: object,
      patch: { metadata, spec: { ...spec, ...(orphan && { affinity: null }) } },
    },
  ];
}

function affinitiesOf(world: World, node: string): Write[] {
  const own = [...world.of(BLOCK_AFFINITIES).values()].filter(({ spec }) => spec.node === node);
  return own.map((object) => drop(object));
}

function drop(object: BlockAffinity): Write {
  return {
    verb: 'delete',
    resource: BLOCK_AFFINITIES,
    object,
    ifGone: { resource: NODES, key: { name: object.spec.node } },
  };
}

/** Claims of nodes that are no more, once no block is theirs any longer. */
function affinities(world: World, graceMs: number): Decision {
  let again: number | undefined;
  const writes: Write[] = [];
  const owners = new Set([...world.of(IPAM_BLOCKS).values()].map(({ spec }) => spec?.affinity));
  for (const object of world.of(BLOCK_AFFINITIES).values()) {
    const { node } = object.spec;
    if (world.of(NODES).has(node)) continue;
    if (owners.has(`host:${node}`)) again = sooner(again, graceMs);
    else writes.push(drop(object));
  }
  return decision(writes, again);
}
