/**
 * Takes back what nodes left behind that are no more: their blocks, and addresses that they borrowed. A living node
 * looks after its own, by its own journal; nobody else touches what it has.
 *
 * Two observations, of each node by itself: it is marked on the block when it is first missed, and what it has there is
 * taken back when its mark is old enough, it is missing still and no pod is said to be on it. The write that takes back
 * first asks the API itself for the Node, and is refused if the block was written since it was looked at.
 */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import {
  type Marks,
  MISSED_ANNOTATION,
  marksFor,
  marksOf,
  marksText,
  missing,
} from '#serve/controller/pools/missed.ts';
import { timeOf, type World } from '#serve/controller/world.ts';
import { type Decision, decision, NOTHING, sooner, type Write } from '#serve/controller/write.ts';
import { type Block, readBlock, release, writeBlock } from '#spec/block.ts';
import { BLOCK_AFFINITIES, type BlockAffinity, IPAM_BLOCKS, type IpamBlock } from '#spec/calico.ts';
import { NODES, PODS } from '#spec/k8s.ts';

/** One key a block, and one for all affinities. */
const AFFINITIES = 'affinities';

/** @param graceMs how long a node is missed before what it had is taken back */
export function poolGarbage(graceMs: number): Controller {
  const all = (world: World) => [...world.of(IPAM_BLOCKS).keys(), AFFINITIES];
  return {
    name: 'ipam-gc',
    needs: [NODES, PODS, IPAM_BLOCKS, BLOCK_AFFINITIES],
    keys: all,
    wake(resource, change, world) {
      if (isOf(IPAM_BLOCKS, resource, change)) return [change.key, AFFINITIES];
      if (isOf(BLOCK_AFFINITIES, resource, change)) return [AFFINITIES];
      const comesOrGoes = change.type === 'delete' || change.previous === undefined;
      if (isOf(NODES, resource, change)) return comesOrGoes ? all(world) : [];
      if (!isOf(PODS, resource, change) || change.type !== 'delete') return [];
      return isGone(world, change.object.spec.nodeName) ? all(world) : [];
    },
    decide: (world, key) => (key === AFFINITIES ? affinities(world, graceMs) : decideBlock(world, key, graceMs)),
  };
}

function isGone(world: World, node: string | undefined): boolean {
  return node !== undefined && !world.of(NODES).has(node);
}

function decideBlock(world: World, key: string, graceMs: number): Decision {
  const object = world.of(IPAM_BLOCKS).get(key);
  const block = object && readBlock(object);
  if (object === undefined || block === undefined) return NOTHING;
  if (isNobodys(object, block)) return decision([remove(object)]);
  const gone = missing(world, block);
  const before = marksOf(object);
  const marks = marksFor(gone, before, world);
  if (marksText(marks) !== marksText(before))
    return decision([mark(object, marks)], gone.length > 0 ? graceMs : undefined);
  const left = (node: string) => timeOf(marks.get(node)) + graceMs - world.now;
  const due = gone.find((node) => left(node) <= 0 && !hasPods(world, node));
  if (due !== undefined) return decision([takeBack(object, block, due, marks)]);
  const waits = gone.map(left).filter((ms) => ms > 0);
  return waits.length > 0 ? decision([], Math.min(...waits)) : NOTHING;
}

/** Belongs to no node and has nothing; blocks of load balancers (`virtual:`) are somebody's. */
function isNobodys({ spec }: IpamBlock, { given }: Block): boolean {
  return spec.affinity === undefined && given.size === 0;
}

function hasPods(world: World, node: string): boolean {
  return [...world.of(PODS).values()].some(({ spec }) => spec.nodeName === node);
}

function mark(object: IpamBlock, marks: Marks): Write {
  const patch = { metadata: { annotations: { [MISSED_ANNOTATION]: marksText(marks) } } };
  return { verb: 'patch', resource: IPAM_BLOCKS, base: object, patch };
}

function remove(object: IpamBlock): Write & { verb: 'delete' } {
  return { verb: 'delete', resource: IPAM_BLOCKS, object, ifUnchanged: true };
}

/** What one node had of a block; all of it, if nobody else has anything of it. The others have their turn after it. */
function takeBack(object: IpamBlock, block: Block, node: string, marks: Marks): Write {
  const ifGone = { resource: NODES, key: { name: node } };
  const places = [...block.given].filter(([, one]) => one.node === node).map(([place]) => place);
  const orphan = block.owner === node;
  if (orphan && places.length === block.given.size) return { ...remove(object), ifGone };
  const { spec } = writeBlock(release(orphan ? { ...block, owner: undefined } : block, places), object);
  const others = new Map([...marks].filter(([other]) => other !== node));
  const metadata = { annotations: { [MISSED_ANNOTATION]: marksText(others) } };
  const patch = { metadata, spec: { ...spec, ...(orphan && { affinity: null }) } };
  return { verb: 'patch', resource: IPAM_BLOCKS, base: object, patch, ifGone };
}

/** Claims of nodes that are no more, each once the block that it is for is not the node's any longer. */
function affinities(world: World, graceMs: number): Decision {
  let again: number | undefined;
  const writes: Write[] = [];
  const claimed = new Set([...world.of(IPAM_BLOCKS).values()].map(({ spec }) => `${spec?.cidr} ${spec?.affinity}`));
  for (const object of world.of(BLOCK_AFFINITIES).values()) {
    const { node, cidr } = object.spec;
    // Deleting the block wakes this key again.
    if (!isGone(world, node) || claimed.has(`${cidr} host:${node}`)) continue;
    const left = timeOf(object.metadata.creationTimestamp) + graceMs - world.now;
    if (left > 0) again = sooner(again, left);
    else writes.push(drop(object));
  }
  return decision(writes, again);
}

function drop(object: BlockAffinity): Write {
  const ifGone = { resource: NODES, key: { name: object.spec.node } };
  return { verb: 'delete', resource: BLOCK_AFFINITIES, object, ifGone, ifUnchanged: true };
}
