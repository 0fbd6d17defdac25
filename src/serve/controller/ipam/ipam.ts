/**
 * Gives each node its networks for pods (`spec.podCIDRs`), one of each family of the cluster's.
 *
 * What Node objects say is the truth: nothing is remembered, so a restart cannot give one network twice. All nodes
 * are decided in one pass, and the next pass begins only when the writes of this one are known.
 */

import type { Change } from '#feed/store.ts';
import { type Prefix, prefixFamily, readPrefix } from '#net/prefix.ts';
import { type Controller, isOf } from '#serve/controller/controller.ts';
import { allocate, type Range } from '#serve/controller/ipam/allocate.ts';
import { natural } from '#serve/controller/match/natural.ts';
import { timestamp, type World } from '#serve/controller/world.ts';
import { type Decision, decision, NOTHING, referenceTo, type Write } from '#serve/controller/write.ts';
import { NODES, type Node } from '#spec/k8s.ts';

const ALL = ['nodes'] as const;
/** When a node gave its network back by being deleted, those without one are looked at again at once; else after this, ms. */
const AGAIN_MS = 60_000;
const CONDITION = 'PodCIDRAssigned';

/** @param ranges the cluster's networks, at most one a family; undefined as long as they are not known. */
export function nodeIpam(ranges: () => readonly Range[] | undefined): Controller {
  return {
    name: 'ipam',
    needs: [NODES],
    keys: () => ALL,
    wake: (resource, change) => (isOf(NODES, resource, change) && matters(change) ? ALL : []),
    decide(world) {
      const known = ranges();
      return known === undefined ? decision([], 500) : assign(known, world);
    },
  };
}

function assign(ranges: readonly Range[], world: World): Decision {
  const nodes = [...world.of(NODES).values()].sort((a, b) => natural(nameOf(a), nameOf(b)));
  const taken = nodes.flatMap(cidrsOf);
  const writes: Write[] = [];
  for (const node of nodes) {
    const have = cidrsOf(node);
    const missing = ranges.filter((r) => !have.some((cidr) => prefixFamily(cidr) === prefixFamily(r.cluster)));
    // Set by hand, or for some families only: podCIDRs cannot be changed once they are there.
    if (missing.length === 0 || have.length > 0) {
      writes.push(...mended(node));
      continue;
    }
    const parts = missing.map((range) => allocate(range, taken, preferredIndex(node)));
    const found = parts.filter((part) => part !== undefined);
    if (found.length < parts.length) writes.push(...exhausted(node, ranges, world));
    else {
      taken.push(...found);
      writes.push(give(node, found));
    }
  }
  return writes.length === 0 ? NOTHING : decision(writes, AGAIN_MS);
}

function give(node: Node, podCIDRs: readonly Prefix[]): Write {
  return { verb: 'patch', resource: NODES, base: node, patch: { spec: { podCIDR: podCIDRs[0], podCIDRs } } };
}

/** Takes back what `exhausted` said, once the node has its networks. */
function mended(node: Node): Write[] {
  const conditions = node.status?.conditions ?? [];
  const others = conditions.filter((c) => c.type !== CONDITION);
  if (others.length === conditions.length) return [];
  return [
    { verb: 'patch', resource: NODES, base: node, patch: { status: { conditions: others } }, subresource: 'status' },
  ];
}

/** A condition and an event on the node, once. */
function exhausted(node: Node, ranges: readonly Range[], world: World): Write[] {
  const conditions = node.status?.conditions ?? [];
  if (conditions.some((c) => c.type === CONDITION && c.status === 'False')) return [];
  const message = `The cluster CIDR has no network left for this node: ${ranges.map(rangeText).join(', ')}`;
  const condition = {
    type: CONDITION,
    status: 'False' as const,
    reason: 'CIDRNotAvailable',
    message,
    lastTransitionTime: timestamp(world.now),
  };
  const patch = { status: { conditions: [...conditions.filter((c) => c.type !== CONDITION), condition] } };
  const about = referenceTo(NODES, node);
  return [
    { verb: 'patch', resource: NODES, base: node, patch, subresource: 'status' },
    {
      verb: 'notice',
      notice: { about, type: 'Warning', reason: 'CIDRNotAvailable', message, component: 'cidrAllocator' },
    },
  ];
}

function rangeText({ cluster, length }: Range): string {
  return `${cluster} in parts of /${length}`;
}

function cidrsOf(node: Node): Prefix[] {
  const texts = node.spec?.podCIDRs ?? (node.spec?.podCIDR ? [node.spec.podCIDR] : []);
  return texts.map((text) => readPrefix(text)).filter((prefix) => prefix !== undefined);
}

/** `node7` asks for part 7, so that names and addresses go together in whatever order nodes register. */
function preferredIndex(node: Node): number | undefined {
  const digits = /^node(\d{1,6})$/.exec(nameOf(node))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function nameOf(node: Node): string {
  return node.metadata.name ?? '';
}

/** A node came, went, or lost or changed its networks. */
function matters(change: Change<Node>): boolean {
  if (change.type === 'delete' || change.previous === undefined) return true;
  const isNew = cidrsOf(change.object).join() !== cidrsOf(change.previous).join();
  return isNew || cidrsOf(change.object).length === 0;
}
