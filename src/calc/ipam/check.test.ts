import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkIpam, type FindingKind } from '#calc/ipam/check.ts';
import { stockOf } from '#calc/ipam/keep.ts';
import { lookUp } from '#calc/ipam/lookup.ts';
import { verdictOf } from '#calc/ipam/release.ts';
import type { IpamState, PodUse } from '#calc/ipam/state.ts';
import { usageOf } from '#calc/ipam/usage.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { type Allocation, type Block, give, newBlock } from '#spec/block.ts';
import { poolOf } from '#spec/pool.ts';

const POOL = poolOf('pool', parsePrefix('10.0.0.0/24'), { blockSize: 29 });
const ofPod = (pod: string, node = 'n1', handle = `net.${pod}`): Allocation => ({
  handle,
  node,
  notes: { namespace: 'default', pod },
});
const tunnel: Allocation = { handle: 'vxlan-tunnel-addr-n1', node: 'n1', notes: { type: 'vxlanTunnelAddress' } };
const pod = (name: string, addrs: readonly string[], more: Partial<PodUse> = {}): PodUse => ({
  name: `default/${name}`,
  node: 'n1',
  addrs: addrs.map(parseAddr),
  ended: false,
  ...more,
});

function block(cidr: string, owner: string | undefined, ...given: readonly (Allocation | undefined)[]): Block {
  const empty = newBlock(parsePrefix(cidr), owner);
  return given.reduce<Block>((b, one, place) => (one ? give(b, [place], one) : b), empty);
}

/** Two nodes, a block each; n1 has a tunnel, a pod, one in stock, and an address borrowed of n2. */
function healthy(changes: Partial<IpamState> = {}): IpamState {
  return {
    pools: [POOL],
    blocks: [
      block('10.0.0.0/29', 'n1', tunnel, ofPod('a'), stockOf('n1')),
      block('10.0.0.8/29', 'n2', ofPod('b', 'n1'), stockOf('n1')),
    ],
    unreadable: [],
    claims: [
      { name: 'n1-10-0-0-0-29', node: 'n1', cidr: '10.0.0.0/29' },
      { name: 'n2-10-0-0-8-29', node: 'n2', cidr: '10.0.0.8/29' },
    ],
    nodes: new Map([
      ['n1', []],
      ['n2', []],
    ]),
    pods: [pod('a', ['10.0.0.1']), pod('b', ['10.0.0.8'])],
    reservations: [],
    fromPools: true,
    ...changes,
  };
}

const base = healthy();
const [first, second] = base.blocks as [Block, Block];
const withFirst = (...given: readonly (Allocation | undefined)[]) =>
  healthy({ blocks: [block('10.0.0.0/29', 'n1', ...given), second] });

/** A case for each kind of finding: what is changed, and what is said of it. */
const CASES = {
  leaked: [
    [
      healthy({ pods: [pod('b', ['10.0.0.8'])] }),
      '10.0.0.1 is given to pod default/a on node n1, and there is no such pod',
    ],
    [
      withFirst(tunnel, ofPod('a', 'n1', 'net.new'), ofPod('a', 'n1', 'net.old')),
      '10.0.0.2 is given to pod default/a on node n1, and that pod has 10.0.0.1 by now',
    ],
    [
      withFirst(tunnel, ofPod('a'), { ...tunnel, node: 'n9' }),
      '10.0.0.2 is given to a tunnel device on node n9, and there is no such node',
    ],
    [
      withFirst(tunnel, ofPod('a'), stockOf('n9')),
      '10.0.0.2 is given to the stock on node n9, and there is no such node',
    ],
  ],
  'not-in-a-block': [
    [
      healthy({ pods: [...base.pods, pod('c', ['10.0.0.100'])] }),
      'Pod default/c on node n1 has 10.0.0.100, which no block says is given',
    ],
    [
      healthy({ pods: [...base.pods, pod('c', ['10.0.0.2'])] }),
      'Pod default/c on node n1 has 10.0.0.2, which node n1 has in stock',
    ],
  ],
  'outside-pools': [
    [
      healthy({ pods: [...base.pods, pod('c', ['192.168.0.1'])] }),
      'Pod default/c on node n1 has 192.168.0.1, which is of no pool',
    ],
    [
      healthy({ fromPools: false, blocks: [], claims: [], pods: [pod('c', ['192.168.0.1'])] }),
      'Pod default/c on node n1 has 192.168.0.1, which is not of the node’s podCIDR',
    ],
  ],
  'used-twice': [
    [
      healthy({ pods: [...base.pods, pod('a2', ['10.0.0.1'], { node: 'n2' })] }),
      '10.0.0.1 is the address of pods default/a on node n1 and default/a2 on node n2',
    ],
    [
      healthy({ pods: [pod('x', ['10.0.0.1']), pod('a', []), pod('b', ['10.0.0.8'])] }),
      'Pod default/x on node n1 has 10.0.0.1, which the block 10.0.0.0/29 says is given to pod default/a',
    ],
  ],
  'block-without-node': [
    [healthy({ nodes: new Map([['n1', []]]) }), 'Block 10.0.0.8/29 belongs to node n2, and there is no such node'],
    [
      healthy({ blocks: [first, second, block('10.0.0.16/29', undefined)] }),
      'Block 10.0.0.16/29 belongs to no node and has nothing',
    ],
  ],
  'block-outside-pools': [
    [
      healthy({ blocks: [first, second, block('10.9.0.0/29', undefined, stockOf('n1'))] }),
      'Block 10.9.0.0/29 is of no pool',
    ],
  ],
  'overlapping-blocks': [
    [
      healthy({ blocks: [first, second, block('10.0.0.12/30', undefined, stockOf('n1'))] }),
      'Blocks 10.0.0.8/29 and 10.0.0.12/30 overlap',
    ],
  ],
  'unreadable-block': [[healthy({ unreadable: ['x'] }), 'IPAMBlock x cannot be understood']],
  'block-without-claim': [
    [
      healthy({ claims: base.claims.slice(1) }),
      'Block 10.0.0.0/29 belongs to node n1, which has no BlockAffinity for it',
    ],
  ],
  'claim-without-block': [
    [
      healthy({ claims: [...base.claims, { name: 'x', node: 'n1', cidr: '10.0.0.64/29' }] }),
      'BlockAffinity x claims 10.0.0.64/29 for node n1, whose it is not',
    ],
  ],
} satisfies Record<FindingKind, readonly (readonly [IpamState, string])[]>;

test('checkIpam finds nothing where nothing is wrong, pods that start and that have ended among it', () => {
  assert.deepEqual(checkIpam(healthy()), []);
  const starting = healthy({ pods: [pod('a', []), pod('b', ['10.0.0.8'])] });
  assert.deepEqual(checkIpam(starting), []);
  const ended = pod('old', ['10.0.0.1'], { ended: true });
  assert.deepEqual(checkIpam(healthy({ pods: [...base.pods, ended] })), []);
  const nodeCidrs = { fromPools: false, nodes: new Map([['n1', [parsePrefix('10.244.1.0/24')]]]) };
  const flannel = { ...nodeCidrs, pools: [], blocks: [], claims: [], pods: [pod('c', ['10.244.1.5'])] };
  assert.deepEqual(checkIpam(healthy(flannel)), []);
});

for (const [kind, cases] of Object.entries(CASES)) {
  test(`checkIpam finds ${kind}, and that alone`, () => {
    for (const [state, sentence] of cases) {
      const found = checkIpam(state);
      assert.deepEqual([...new Set(found.map((one) => one.kind))], [kind], JSON.stringify(found));
      assert.ok(
        found.some((one) => one.sentence === sentence),
        found.map((one) => one.sentence).join('\n'),
      );
    }
  });
}

test('usageOf counts by pool, block and node; stock is free, borrowed addresses are used by whoever has them', () => {
  const { pools, blocks, nodes, borrowed } = usageOf(healthy({ reservations: [parsePrefix('10.0.0.4/30')] }));
  const counts = { total: 256, inUse: 3, free: 253, inStock: 2 };
  assert.deepEqual(pools, [
    { name: 'pool', cidr: '10.0.0.0/24', disabled: false, leaving: false, ...counts, blocks: 2, mostBlocks: 32 },
  ]);
  assert.deepEqual(
    blocks.map((b) => [b.cidr, b.node, b.inUse, b.free, b.inStock, b.borrowed, b.reserved]),
    [
      ['10.0.0.0/29', 'n1', 2, 6, 1, 0, 4],
      ['10.0.0.8/29', 'n2', 1, 7, 1, 1, 0],
    ],
  );
  assert.deepEqual(
    nodes.map((n) => [n.node, n.blocks, n.total, n.inUse, n.free, n.inStock, n.borrowed, n.lent]),
    [
      ['n1', 1, 8, 3, 6, 2, 1, 0],
      ['n2', 1, 8, 0, 7, 0, 0, 1],
    ],
  );
  assert.deepEqual(borrowed, [
    { addr: '10.0.0.8', node: 'n1', block: '10.0.0.8/29', owner: 'n2', use: 'pod', for: 'default/b' },
  ]);
});

test('lookUp says of an address whose it is', () => {
  const state = (text: string, changes: Partial<IpamState> = {}) => lookUp(healthy(changes), parseAddr(text));
  assert.deepEqual(state('10.0.0.8'), {
    addr: '10.0.0.8',
    state: 'in-use',
    pool: 'pool',
    block: '10.0.0.8/29',
    owner: 'n2',
    node: 'n1',
    handle: 'net.b',
    attributes: { namespace: 'default', pod: 'b' },
    pods: ['default/b'],
  });
  assert.equal(state('10.0.0.2').state, 'stock');
  assert.equal(state('10.0.0.200').state, 'free');
  assert.equal(state('10.0.0.200', { reservations: [parsePrefix('10.0.0.200/32')] }).state, 'reserved');
  assert.equal(state('192.0.2.1').state, 'outside');
});

test('verdictOf takes back what is leaked, by force what nobody is known to use, a living pod’s never', () => {
  const leaking = healthy({ pods: [pod('b', ['10.0.0.8'])] });
  const kinds = (state: IpamState, text: string) =>
    [false, true].map((force) => verdictOf(state, parseAddr(text), force).kind);
  assert.deepEqual(kinds(leaking, '10.0.0.1'), ['release', 'release']);
  assert.deepEqual(kinds(leaking, '10.0.0.8'), ['living', 'living']);
  assert.deepEqual(
    kinds(healthy({ pods: [pod('a', []), pod('b', [])] }), '10.0.0.1'),
    ['living', 'living'],
    'it starts',
  );
  assert.deepEqual(kinds(leaking, '10.0.0.0'), ['not-leaked', 'release'], 'a tunnel');
  assert.deepEqual(kinds(leaking, '10.0.0.2'), ['not-leaked', 'release'], 'in stock');
  assert.deepEqual(kinds(leaking, '10.0.0.3'), ['nothing', 'nothing']);
  assert.deepEqual(kinds(healthy({ pods: [pod('z', ['10.0.0.3'])] }), '10.0.0.3'), ['living', 'living'], 'in no block');
});
