import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scheduler } from '#serve/controller/scheduler/scheduler.ts';
import { type NodeShape, node, type PodShape, pod, TestWorld, wordOf } from '#serve/controller/testing.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import {
  conditionOf,
  type KubeObject,
  NAMESPACES,
  NODES,
  PODS,
  type Pod,
  type PodAffinityTerm,
  type PodSpec,
  type Resource,
  type TopologySpreadConstraint,
} from '#spec/k8s.ts';

const three = (shape: (index: number) => NodeShape = () => ({})) => [1, 2, 3].map((i) => node(`node${i}`, shape(i)));

/** Where each pod ends, or why it does not. */
function schedule(objects: readonly KubeObject[]): Record<string, string> {
  const world = new TestWorld(objects);
  world.settle(scheduler);
  const outcome = (p: Pod) => p.spec.nodeName ?? conditionOf(p.status?.conditions, 'PodScheduled')?.message ?? '-';
  return Object.fromEntries([...world.of(PODS).values()].map((p) => [p.metadata.name, outcome(p)]));
}

const hosted = (name: string, nodeName: string, shape: PodShape = {}) =>
  pod(name, { ...shape, spec: { nodeName, ...shape.spec }, status: { phase: 'Running' } });

const apart = (app: string): Partial<PodSpec> => ({
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app } }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  },
});

const near = (app: string, topologyKey = 'kubernetes.io/hostname'): Partial<PodSpec> => ({
  affinity: {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels: { app } }, topologyKey }],
    },
  },
});

const NO = (reasons: string) => `0/3 nodes are available: ${reasons}.`;

const settings = (profile: string): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...CONFIG_MAP }, data: { profile } }) as KubeObject;
const asking = (text: string) => pod('p', { metadata: { annotations: { 'cni.projectcalico.org/ipAddrs': text } } });
const withCidrs = () => three((i) => ({ podCIDRs: [`10.244.${i}.0/24`] }));

/** What stands in the world beside three nodes, and where the pod `p` goes or why not. */
const CASES: readonly (readonly [string, readonly KubeObject[], string])[] = [
  ['the emptiest node', [...three(), hosted('a', 'node1'), pod('p')], 'node2'],
  [
    'nodeSelector',
    [
      ...three((i) => ({ labels: { disk: i === 3 ? 'ssd' : 'hdd' } })),
      pod('p', { spec: { nodeSelector: { disk: 'ssd' } } }),
    ],
    'node3',
  ],
  ['an address by name', [settings('vxlan'), ...withCidrs(), asking('["10.244.3.100"]')], 'node3'],
  ['an address of no node', [settings('vxlan'), ...withCidrs(), asking('["192.0.2.1"]')], 'node1'],
  ['an address that is none', [settings('vxlan'), ...withCidrs(), asking('10.244.3.100')], 'node1'],
  ['an address of a pool', [settings('calico-vxlan'), ...withCidrs(), asking('["10.244.3.100"]')], 'node1'],
  [
    'an address of a node that is full',
    [
      settings('vxlan'),
      ...three((i) => ({ podCIDRs: [`10.244.${i}.0/24`], unschedulable: i === 3 })),
      asking('["10.244.3.100"]'),
    ],
    NO("1 node(s) were unschedulable, 2 node(s) didn't have the address that cni.projectcalico.org/ipAddrs asks for"),
  ],
  [
    'nodeSelector of nobody',
    [...three(), pod('p', { spec: { nodeSelector: { disk: 'ssd' } } })],
    NO("3 node(s) didn't match Pod's node affinity/selector"),
  ],
  [
    'matchFields by name',
    [
      ...three(),
      pod('p', {
        spec: {
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node2'] }] }],
              },
            },
          },
        },
      }),
    ],
    'node2',
  ],
  [
    'preferred node affinity',
    [
      ...three((i) => ({ labels: { zone: `z${i}` } })),
      pod('p', {
        spec: {
          affinity: {
            nodeAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 1, preference: { matchExpressions: [{ key: 'zone', operator: 'In', values: ['z3'] }] } },
              ],
            },
          },
        },
      }),
    ],
    'node3',
  ],
  [
    'taints',
    [...three((i) => ({ taints: i < 3 ? [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] : [] })), pod('p')],
    'node3',
  ],
  [
    'taints that are tolerated',
    [
      ...three(() => ({ taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] })),
      pod('p', { spec: { tolerations: [{ key: 'gpu', operator: 'Equal', value: 'yes', effect: 'NoSchedule' }] } }),
    ],
    'node1',
  ],
  [
    'PreferNoSchedule is the last choice',
    [
      ...three((i) => (i < 3 ? { taints: [{ key: 'old', effect: 'PreferNoSchedule' }] } : {})),
      hosted('a', 'node3'),
      pod('p'),
    ],
    'node3',
  ],
  [
    'all at once',
    [
      node('node1', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] }),
      node('node2', { unschedulable: true }),
      node('node3', { ready: 'False' }),
      pod('p'),
    ],
    NO(
      '1 node(s) had untolerated taint {gpu: yes}, 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 1 node(s) were unschedulable',
    ),
  ],
  [
    'required anti-affinity',
    [...three(), hosted('a', 'node1', { metadata: { labels: { app: 'x' } } }), pod('p', { spec: apart('x') })],
    'node2',
  ],
  [
    'required anti-affinity everywhere',
    [
      ...three(),
      ...[1, 2, 3].map((i) => hosted(`a${i}`, `node${i}`, { metadata: { labels: { app: 'x' } } })),
      pod('p', { spec: apart('x') }),
    ],
    NO("3 node(s) didn't match pod anti-affinity rules"),
  ],
  [
    'those that are there want to be apart',
    [
      ...three(),
      ...[1, 2, 3].map((i) => hosted(`a${i}`, `node${i}`, { spec: apart('x') })),
      pod('p', { metadata: { labels: { app: 'x' } } }),
    ],
    NO("3 node(s) didn't satisfy existing pods anti-affinity rules"),
  ],
  [
    'required affinity',
    [...three(), hosted('a', 'node3', { metadata: { labels: { app: 'x' } } }), pod('p', { spec: near('x') })],
    'node3',
  ],
  [
    'affinity by zone',
    [
      ...three((i) => ({ labels: { zone: i === 1 ? 'a' : 'b' } })),
      hosted('a', 'node2', { metadata: { labels: { app: 'x' } } }),
      pod('p', { spec: near('x', 'zone') }),
    ],
    'node3',
  ],
  ['affinity to nobody', [...three(), pod('p', { spec: near('x') })], NO("3 node(s) didn't match pod affinity rules")],
  [
    'affinity to one’s own kind, as the first',
    [...three(), pod('p', { metadata: { labels: { app: 'x' } }, spec: near('x') })],
    'node1',
  ],
  [
    'anti-affinity looks into other namespaces only where it is told to',
    [
      ...three(),
      hosted('a', 'node1', { metadata: { namespace: 'other', labels: { app: 'x' } } }),
      pod('p', { spec: apart('x') }),
    ],
    'node2',
  ],
  [
    'resources',
    [
      ...three((i) => ({ allocatable: { cpu: i === 2 ? '2' : '500m', memory: '1Gi', pods: '10' } })),
      pod('p', { spec: { containers: [{ name: 'm', resources: { requests: { cpu: '1' } } }] } }),
    ],
    'node2',
  ],
  [
    'resources taken by others',
    [
      ...three(() => ({ allocatable: { cpu: '1', memory: '1Gi', pods: '10' } })),
      ...[1, 2, 3].map((i) =>
        hosted(`a${i}`, `node${i}`, {
          spec: { containers: [{ name: 'm', resources: { requests: { cpu: '600m', memory: '900Mi' } } }] },
        }),
      ),
      pod('p', { spec: { containers: [{ name: 'm', resources: { requests: { cpu: '500m', memory: '200Mi' } } }] } }),
    ],
    NO('3 Insufficient cpu, 3 Insufficient memory'),
  ],
  [
    'room for pods',
    [...three((i) => ({ allocatable: { cpu: '1', memory: '1Gi', pods: i === 3 ? '1' : '0' } })), pod('p')],
    'node3',
  ],
  [
    'host ports',
    [
      ...three(),
      ...[1, 2].map((i) =>
        hosted(`a${i}`, `node${i}`, {
          spec: { containers: [{ name: 'm', ports: [{ containerPort: 80, hostPort: 80 }] }] },
        }),
      ),
      hosted('b', 'node3'),
      pod('p', { spec: { containers: [{ name: 'm', ports: [{ containerPort: 8080, hostPort: 80 }] }] } }),
    ],
    'node3',
  ],
  ['no nodes', [pod('p')], 'no nodes available to schedule pods'],
  ['another scheduler', [...three(), pod('p', { spec: { schedulerName: 'mine' } })], '-'],
  ['a gate', [...three(), pod('p', { spec: { schedulingGates: [{ name: 'wait' }] } })], '-'],
  [
    'a pod that is being deleted',
    [...three(), pod('p', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } })],
    '-',
  ],
];

for (const [name, objects, expected] of CASES) {
  test(`scheduler: ${name}`, () => assert.equal(schedule(objects).p, expected));
}

test('a burst is spread evenly in one pass', () => {
  const pods = Array.from({ length: 12 }, (_, i) => pod(`p${i}`, { metadata: { labels: { app: 'web' } } }));
  const world = new TestWorld([...three(), ...pods]);
  const { writes } = scheduler.decide(world, 'pending');
  const counts = Map.groupBy(writes, (w) => (w.verb === 'bind' ? w.node : '-'));
  assert.deepEqual([...counts].map(([name, list]) => `${name} ${list.length}`).sort(), [
    'node1 4',
    'node2 4',
    'node3 4',
  ]);
});

test('pods of one kind are spread even where other nodes are emptier', () => {
  const web = { metadata: { labels: { app: 'web' } } };
  const others = ['a', 'b', 'c'].map((name) => hosted(name, 'node2'));
  assert.equal(schedule([...three().slice(0, 2), ...others, hosted('w', 'node1', web), pod('p', web)]).p, 'node2');
});

test('topologySpreadConstraints keep the skew', () => {
  const labels = { app: 'web' };
  const spread = {
    maxSkew: 1,
    topologyKey: 'zone',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: labels },
  } as const;
  const nodes = [
    node('node1', { labels: { zone: 'a' } }),
    node('node2', { labels: { zone: 'a' } }),
    node('node3', { labels: { zone: 'b' }, allocatable: { cpu: '1', memory: '1Gi', pods: '1' } }),
  ];
  const pods = [1, 2, 3, 4].map((i) =>
    pod(`p${i}`, { metadata: { labels }, spec: { topologySpreadConstraints: [spread] } }),
  );
  const ends = schedule([...nodes, ...pods]);
  assert.deepEqual([ends.p1, ends.p2, ends.p3], ['node1', 'node3', 'node2']);
  assert.equal(
    ends.p4,
    "0/3 nodes are available: 1 Too many pods, 2 node(s) didn't match pod topology spread constraints.",
  );
});

/** Where `p` may go beside one `x` on node1, by what its constraint says more. */
const SPREADS: readonly (readonly [string, Partial<TopologySpreadConstraint>, Partial<PodSpec>, string])[] = [
  ['maxSkew', {}, { nodeSelector: { at: 'one' } }, 'node1'],
  ['nodeAffinityPolicy', { nodeAffinityPolicy: 'Ignore' }, { nodeSelector: { at: 'one' } }, 'no'],
  ['minDomains', { minDomains: 2 }, { nodeSelector: { at: 'one' } }, 'no'],
  ['minDomains that are there', { minDomains: 2 }, {}, 'node2'],
  ['nodeTaintsPolicy', { nodeTaintsPolicy: 'Honor' }, { nodeSelector: { kind: 'plain' } }, 'node1'],
  ['taints that are not looked at', {}, { nodeSelector: { kind: 'plain' } }, 'node1'],
  ['matchLabelKeys', { matchLabelKeys: ['revision'] }, { nodeSelector: { at: 'one' } }, 'node1'],
];
for (const [what, more, spec, end] of SPREADS)
  test(`spread by ${what}`, () => {
    const labels = { app: 'x', revision: '2' };
    const constraint: TopologySpreadConstraint = {
      ...{ maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' },
      labelSelector: { matchLabels: { app: 'x' } },
      ...more,
    };
    const ends = schedule([
      node('node1', { labels: { at: 'one', kind: 'plain' } }),
      node('node2', { labels: { at: 'two' } }),
      hosted('a', 'node1', { metadata: { labels: { app: 'x', revision: '1' } } }),
      pod('p', { metadata: { labels }, spec: { topologySpreadConstraints: [constraint], ...spec } }),
    ]);
    assert.equal(ends.p?.startsWith('0/') ? 'no' : ends.p, end);
  });

test('spread over a label that a node has not says so', () => {
  const constraint = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' } as const;
  const ends = schedule([...three(), pod('p', { spec: { topologySpreadConstraints: [constraint] } })]);
  assert.equal(ends.p, NO("3 node(s) didn't match pod topology spread constraints (missing required label)"));
});

test('affinity by keys of labels is to pods with, or without, the values of the pod itself', () => {
  const term = (more: Partial<PodAffinityTerm>) => ({
    labelSelector: { matchLabels: { app: 'x' } },
    topologyKey: 'kubernetes.io/hostname',
    ...more,
  });
  const end = (podAffinity: Partial<PodAffinityTerm>) =>
    schedule([
      ...three(),
      hosted('a', 'node1', { metadata: { labels: { app: 'x', tenant: 'one' } } }),
      hosted('b', 'node2', { metadata: { labels: { app: 'x', tenant: 'two' } } }),
      pod('p', {
        metadata: { labels: { app: 'y', tenant: 'two' } },
        spec: { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(podAffinity)] } } },
      }),
    ]).p;
  assert.equal(end({ matchLabelKeys: ['tenant'] }), 'node2');
  assert.equal(end({ mismatchLabelKeys: ['tenant'] }), 'node1');
  assert.equal(end({ matchLabelKeys: ['nothing'] }), 'node1');
});

test('what could let a pending pod find a node is looked at: a pod placed, gone or relabelled, a node, a namespace', () => {
  const world = new TestWorld([node('node1')]);
  const wakes = (resource: Resource<KubeObject>, object: KubeObject, previous?: KubeObject) =>
    scheduler.wake(resource, { type: 'set', key: 'x', object, ...(previous && { previous }) }, world).length > 0;
  const pending = pod('db', { metadata: { namespace: 'default', labels: { app: 'db' } } });
  const placed = { ...pending, spec: { ...pending.spec, nodeName: 'node1' } };
  const busy = { ...placed, status: { phase: 'Running' as const } };
  assert.ok(wakes(PODS, pending));
  assert.ok(wakes(PODS, placed, pending));
  assert.ok(wakes(PODS, { ...placed, metadata: { ...placed.metadata, labels: {} } }, placed));
  assert.ok(!wakes(PODS, busy, placed));
  const space = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } };
  assert.ok(wakes(NAMESPACES, { ...space, metadata: { name: 'a', labels: { team: 'x' } } }, space));
  assert.ok(!wakes(NAMESPACES, space, space));
  assert.ok(wakes(NODES, node('node1', { labels: { disk: 'ssd' } }), node('node1')));
});

test('higher priority goes first, then who came first', () => {
  const room = three(() => ({ allocatable: { cpu: '1', memory: '1Gi', pods: '1' } })).slice(0, 2);
  const at = (second: number) => ({ metadata: { creationTimestamp: `2026-01-01T00:00:0${second}Z` } });
  const ends = schedule([
    ...room,
    pod('late', at(3)),
    pod('first', at(1)),
    pod('chief', { ...at(9), spec: { priority: 10 } }),
  ]);
  assert.deepEqual([ends.chief, ends.first], ['node1', 'node2']);
  assert.match(ends.late ?? '', /2 Too many pods/);
});

test('the same reason is said once, another one again', () => {
  const world = new TestWorld([node('node1', { unschedulable: true }), pod('p')]);
  world.settle(scheduler);
  assert.deepEqual(scheduler.decide(world, 'pending').writes, []);
  world.put(node('node1', { ready: 'False' }));
  const words = world.settle(scheduler).map(wordOf);
  assert.match(words[1] ?? '', /notice FailedScheduling: 0\/1 nodes are available: 1 node\(s\) had untolerated taint/);
  assert.equal(words.length, 2);
});

test('scheduler comes to rest from any state, and never over-fills or mis-places', () => {
  const shapes = fc.record({
    ready: fc.constantFrom('True' as const, 'False' as const),
    pods: fc.nat(4),
    zone: fc.constantFrom('a', 'b'),
  });
  const wishes = fc.record({
    zone: fc.option(fc.constantFrom('a', 'b', 'c')),
    apart: fc.boolean(),
    on: fc.option(fc.nat(3)),
  });
  fc.assert(
    fc.property(fc.array(shapes, { maxLength: 4 }), fc.array(wishes, { maxLength: 8 }), (nodeShapes, podShapes) => {
      const nodes = nodeShapes.map((s, i) =>
        node(`node${i}`, {
          ready: s.ready,
          labels: { zone: s.zone },
          allocatable: { cpu: '9', memory: '9Gi', pods: `${s.pods}` },
        }),
      );
      const pods = podShapes.map((s, i) =>
        pod(`p${i}`, {
          metadata: { labels: { app: 'x' } },
          spec: {
            ...(s.zone ? { nodeSelector: { zone: s.zone } } : {}),
            ...(s.apart ? apart('x') : {}),
            ...(s.on === null ? {} : { nodeName: `node${s.on}` }),
          },
        }),
      );
      const world = new TestWorld([...nodes, ...pods]);
      const binds = world.settle(scheduler).flatMap((w) => (w.verb === 'bind' ? [w] : []));
      for (const { node: name, pod: bound } of binds) {
        const index = Number(name.slice(4));
        const here = [...world.of(PODS).values()].filter((p) => p.spec.nodeName === name);
        assert.ok(here.length <= (nodeShapes[index]?.pods ?? 0), 'over-filled');
        assert.equal(nodeShapes[index]?.ready, 'True');
        assert.equal(bound.spec.nodeSelector?.zone ?? nodeShapes[index]?.zone, nodeShapes[index]?.zone);
        if (bound.spec.affinity) assert.equal(here.length, 1, 'not apart');
      }
    }),
    { numRuns: 200 },
  );
});
