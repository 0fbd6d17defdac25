import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BgpState } from '#calc/bgp/state.ts';
import { waysToSay } from '#calc/routes/change-over.ts';
import { calcNodeState } from '#calc/routes/node-state.ts';
import type { NodeState } from '#calc/state.ts';
import { cluster, KEYS, node, UNDERLAY } from '#calc/testing/clusters.ts';
import { type Prefix, parseIfAddr } from '#net/prefix.ts';
import { type ClusterNode, PROFILES, type ProfileName, type Snapshot } from '#spec/cluster.ts';
import type { SaidWays, WayKind } from '#spec/ways.ts';

/** What everybody may hear of: a new profile, or what a node says of itself. */
type Event = { readonly profile: ProfileName } | { readonly node: string; readonly says: Partial<ClusterNode> };

const NAMES = ['node1', 'node2', 'node3'] as const;
const NODES = NAMES.map((name, i) => node(name, `192.168.1.10${i + 1}`, `10.244.${i + 1}.0/26`));

/** Three nodes, each with its own delay in hearing of what happens, and with a kernel that is as its last pass left it. */
class World {
  readonly #events: Event[] = [];
  readonly #heard = [0, 0, 0];
  readonly kernels: (NodeState | undefined)[] = [undefined, undefined, undefined];
  /** Networks that each node's BIRD has put routes to, and what kind they are of. */
  readonly #bird = NAMES.map(() => new Map<Prefix, WayKind>());

  constructor(profile: ProfileName) {
    this.#events.push({ profile });
    this.settle([0, 1, 2]);
  }

  set(profile: ProfileName): void {
    this.#events.push({ profile });
  }

  hear(i: number): void {
    this.#heard[i] = Math.min((this.#heard[i] ?? 0) + 1, this.#events.length);
  }

  hearAll(i: number): void {
    this.#heard[i] = this.#events.length;
  }

  view(i: number): Snapshot {
    const events = this.#events.slice(0, this.#heard[i]);
    const profile = events.findLast((event) => 'profile' in event)?.profile ?? 'calico-vxlan';
    const nodes = NODES.map((each): ClusterNode => {
      const said = events.flatMap((event) => ('node' in event && event.node === each.name ? [event.says] : []));
      return Object.assign({}, each, ...said);
    });
    const key = KEYS[i] ?? '';
    const local = { node: NAMES[i] ?? '', endpoints: [], wireguardKeys: { 4: key } };
    return { ...cluster(PROFILES[profile], { nodes }), local };
  }

  pass(i: number): void {
    const own = this.kernels[i]?.peers.filter(({ route }) => route !== 'bird').map(({ network }) => network) ?? [];
    const birds = [...(this.#bird[i] ?? [])].map(([to, kind]) => [to, kind === 'ipip' ? 'tunl0' : 'eth0'] as const);
    const told = { own: new Set(own), bird: new Map(birds) };
    const addrs = [parseIfAddr(`192.168.1.10${i + 1}/24`)];
    const outcome = calcNodeState(this.view(i), { ...UNDERLAY, addrs, told });
    if (outcome.kind === 'ready') this.kernels[i] = outcome.state;
    this.#withdraw();
  }

  /** Who falls silent is forgotten by all at once, by himself only when his BIRD is swept. */
  #withdraw(): void {
    for (const routes of this.#bird) {
      for (const to of routes.keys()) {
        const holder = NODES.findIndex(({ networks }) => networks.includes(to));
        if (this.kernels[holder]?.bgp === undefined) routes.delete(to);
      }
    }
  }

  /**
   * The node's BIRD starts, comes to what it has been told, or ends, and hears of the others; it does not replace a route of
   * ours. What the agent aims at it takes up in its own time: until then its routes are as before.
   */
  bird(i: number): void {
    const { bgp, peers } = this.kernels[i] ?? assert.fail('no pass yet');
    const routes = this.#bird[i] ?? assert.fail();
    for (const to of routes.keys()) if (!bgp || !programs(bgp, to)) routes.delete(to);
    if (!bgp) return;
    for (const { node: holder, network, route } of peers) {
      if (this.kernels.find((kernel) => kernel?.node === holder)?.bgp && route !== 'agent' && programs(bgp, network))
        routes.set(network, birdsKind(bgp));
    }
  }

  /** @returns whether there was something to say. */
  say(i: number): boolean {
    const { ways, wireguard } = this.kernels[i] ?? assert.fail('no pass yet');
    const wireguardKeys = { ...(wireguard[0] && { 4: wireguard[0].publicKey }) };
    const said = this.view(i).nodes[i];
    const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
    if (same(said?.ways, ways) && same(said?.wireguardKeys ?? {}, wireguardKeys)) return false;
    this.#events.push({ node: NAMES[i] ?? '', says: { ...(ways && { ways }), wireguardKeys } });
    return true;
  }

  /** Everybody hears and does everything until there is nothing more. */
  settle(living: readonly number[]): void {
    for (let round = 0; round < 20; round++) {
      for (const i of living) {
        this.hearAll(i);
        this.pass(i);
        this.bird(i);
        this.pass(i); // the kernel tells of BIRD's routes
      }
      if (living.map((i) => this.say(i)).every((spoke) => !spoke)) return;
    }
    assert.fail('they never come to an end');
  }

  /** Packets from one pod to another's node arrive. */
  check(settled = false): void {
    for (const [i, from] of this.kernels.entries()) {
      const bird = this.#bird[i] ?? assert.fail();
      for (const [k, to] of this.kernels.entries())
        if (i !== k && from && to) arrives(from, to, bird, KEYS[i] ?? '', settled);
    }
  }
}

/** Whether BIRD puts what it hears of the network into the kernel. */
function programs({ pools, held }: BgpState, network: Prefix): boolean {
  return !held.includes(network) && pools.every(({ kernel }) => kernel === 'bird');
}

/** The kind of BIRD's routes. */
function birdsKind({ pools }: BgpState): WayKind {
  return pools.some(({ tunnel }) => tunnel) ? 'ipip' : 'direct';
}

function arrives(
  from: NodeState,
  to: NodeState,
  bird: ReadonlyMap<Prefix, WayKind>,
  key: string,
  settled: boolean,
): void {
  const peer = from.peers.find((each) => each.node === to.node);
  const birds = peer && peer.route !== 'agent' ? bird.get(peer.network) : undefined;
  const way = birds ? { kind: birds } : peer?.route === 'bird' ? undefined : peer?.way;
  const what = `${from.node} to ${to.node}`;
  const encrypted = from.wireguard[0]?.peers.some((peer) => peer.node === to.node && peer.routes.length > 0);
  if (encrypted) {
    const knows = to.wireguard[0]?.peers.some(({ publicKey }) => publicKey === key);
    // A key may be heard a little later than used: WireGuard asks again until then.
    assert.ok(settled ? knows : to.wireguard.length > 0, `${what}, encrypted`);
    return;
  }
  const network = from.peers.find((peer) => peer.node === to.node)?.network ?? '';
  assert.ok(way !== undefined && !from.wireguard[0]?.closed.some((closed) => closed === network), `${what}: no way`);
  if (way.kind === 'direct') return;
  assert.ok(
    to.tunnels.some(({ kind }) => kind === way.kind),
    `${what} by ${way.kind}`,
  );
}

const COEXISTING = ['calico-vxlan', 'calico-ipip', 'calico-bgp', 'wireguard'] as const;
const KINDS: Readonly<Record<string, readonly WayKind[]>> = {
  'calico-vxlan': ['vxlan'],
  'calico-ipip': ['bgp', 'ipip'],
  'calico-bgp': ['bgp', 'direct'],
  wireguard: ['wireguard', 'direct'],
};
const profile = fc.constantFrom(...COEXISTING);
const step = fc.record(
  { what: fc.constantFrom('turn', 'turn', 'turn', 'deaf turn', 'bird', 'bird', 'hear', 'pass', 'say'), who: fc.nat(2) },
  { noNullPrototype: true },
);

interface Step {
  readonly what: string;
  readonly who: number;
}

/** A turn is what an agent does at its own pace; a deaf one, what it does before the news reach it. */
function* doing(world: World, { what, who }: Step): Generator<void> {
  if (what === 'bird') return yield world.bird(who);
  if (what === 'turn') yield world.hearAll(who);
  if (what === 'hear') yield world.hear(who);
  if (what !== 'hear' && what !== 'say') yield world.pass(who);
  if (what !== 'hear' && what !== 'pass') world.say(who);
}

function walk(world: World, steps: readonly Step[]): void {
  for (const each of steps) for (const _ of doing(world, each)) world.check();
}

test('from every profile to every other, in every order of events: packets arrive all the while, and nothing old is left', () => {
  fc.assert(
    fc.property(profile, profile, fc.array(step, { minLength: 20, maxLength: 60 }), (from, to, steps) => {
      const world = new World(from);
      world.check();
      world.set(to);
      walk(world, steps);
      world.settle([0, 1, 2]);
      world.check(true);
      for (const kernel of world.kernels) {
        assert.deepEqual(kernel?.ways, { accepts: KINDS[to], sends: KINDS[to] });
        assert.deepEqual(
          kernel?.tunnels.map(({ kind }) => kind),
          KINDS[to]?.filter((kind) => kind === 'vxlan' || kind === 'ipip'),
        );
        assert.equal(kernel?.wireguard.length, to === 'wireguard' ? 1 : 0);
      }
    }),
    { numRuns: 500 },
  );
});

test('a node that is away is reached by the old way, and reaches the others; when it is back it follows', () => {
  fc.assert(
    fc.property(profile, profile, fc.nat(2), fc.array(step, { maxLength: 60 }), (from, to, away, steps) => {
      const world = new World(from);
      world.set(to);
      walk(
        world,
        steps.filter(({ who }) => who !== away),
      );
      world.settle([0, 1, 2].filter((i) => i !== away));
      world.check();
      const [one, other] = world.kernels.filter((_, i) => i !== away);
      assert.deepEqual(
        one?.peers.find(({ node }) => node === other?.node)?.way.kind,
        (KINDS[to] ?? []).at(-1),
        'the others have changed',
      );
      world.settle([0, 1, 2]);
      for (const kernel of world.kernels) assert.deepEqual(kernel?.ways?.accepts, KINDS[to]);
    }),
    { numRuns: 100 },
  );
});

test('a change of mind on the way ends where the last word leads', () => {
  fc.assert(
    fc.property(profile, fc.array(fc.oneof(step, profile), { maxLength: 80 }), profile, (from, steps, last) => {
      const world = new World(from);
      for (const each of steps) {
        if (typeof each === 'string') world.set(each);
        else for (const _ of doing(world, each));
      }
      world.set(last);
      world.settle([0, 1, 2]);
      world.check(true);
      for (const kernel of world.kernels) assert.deepEqual(kernel?.ways, { accepts: KINDS[last], sends: KINDS[last] });
    }),
    { numRuns: 200 },
  );
});

test('waysToSay keeps an old kind for whoever still sends by it, and no longer', () => {
  const said = (accepts: WayKind[], sends: WayKind[]): { readonly ways: SaidWays } => ({ ways: { accepts, sends } });
  const [a, b] = NODES;
  assert.ok(a && b);
  const self = { ...a, ...said(['ipip', 'vxlan'], ['ipip']) };
  const reached = { asked: new Set<WayKind>(['ipip']), peers: [], birds: [], encrypts: false };
  const kept = waysToSay([self, { ...b, ...said(['ipip', 'vxlan'], ['ipip', 'vxlan']) }], self, reached);
  assert.deepEqual(kept, { accepts: ['ipip', 'vxlan'], sends: ['ipip'] });
  const done = waysToSay([self, { ...b, ...said(['ipip', 'vxlan'], ['ipip']) }], self, reached);
  assert.deepEqual(done, { accepts: ['ipip'], sends: ['ipip'] });
});

test('a node that encrypts says nothing of its ways before its key is heard, so that nobody speaks with it in plain text', () => {
  const said = (self: Partial<ClusterNode>) => {
    const nodes = NODES.map((each, i) => (i === 0 ? { ...each, ...self } : each));
    const outcome = calcNodeState(cluster(PROFILES.wireguard, { nodes }), UNDERLAY);
    return outcome.kind === 'ready' ? outcome.state.ways?.accepts : assert.fail();
  };
  assert.equal(said({}), undefined);
  assert.deepEqual(said({ wireguardKeys: { 4: KEYS[0] } }), ['wireguard', 'direct']);
  const before: SaidWays = { accepts: ['vxlan'], sends: ['vxlan'] };
  assert.deepEqual(said({ ways: before }), ['direct'], 'one that changes over goes on in plain text until it can');
});

test('a profile that encrypts sends nothing in plain text to a node whose key is gone', () => {
  const all = NODES.map((each, i) => ({
    ...each,
    wireguardKeys: i === 1 ? {} : { 4: KEYS[i] ?? '' },
    ways: { accepts: ['wireguard', 'direct'], sends: ['wireguard', 'direct'] } as const,
  }));
  const outcome = calcNodeState(cluster(PROFILES.wireguard, { nodes: all }), UNDERLAY);
  if (outcome.kind !== 'ready') assert.fail();
  const [device] = outcome.state.wireguard;
  assert.deepEqual([device?.plain, device?.closed], [[], ['10.244.2.0/26', '10.244.3.0/26']]);
  assert.match(outcome.state.problems[0]?.sentence ?? '', /Traffic to IPv4 pods of node node2 waits: .*key/);
});
