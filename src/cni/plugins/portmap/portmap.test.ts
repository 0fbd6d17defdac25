import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { placeKey } from '#cni/parts/owned-elements.ts';
import { readConditions } from '#cni/plugins/portmap/conditions.ts';
import { readPortmapConf } from '#cni/plugins/portmap/conf.ts';
import { elementsOf } from '#cni/plugins/portmap/elements.ts';
import { parseIfAddr } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { readNetConf } from '#wire/cni/conf.ts';

const POD = [parseIfAddr('10.1.0.5/24'), parseIfAddr('fd00::5/64')];

function conf(portMappings: unknown, more: object = {}) {
  return readPortmapConf(
    readNetConf({ name: 'n', type: 'portmap', runtimeConfig: { portMappings }, ...more }, 'portmap'),
  );
}

test('elementsOf gives a port of each family an element, and the sources that are to be masqueraded', () => {
  const placed = elementsOf(conf([{ hostPort: 8080, containerPort: 80, protocol: 'TCP' }]), POD, 'n c eth0');
  assert.deepEqual(placed.map(({ set }) => set).toSorted(), ['masq4', 'masq4', 'masq6', 'ports4', 'ports6']);
  assert.deepEqual(placed[0]?.element, {
    key: { concat: [6, 8080] },
    value: { concat: ['10.1.0.5', 80] },
    comment: 'n c eth0',
  });
});

test('elementsOf keeps to the family of hostIP, and says an element once', () => {
  const port = { hostPort: 53, containerPort: 5353, protocol: 'udp' };
  const placed = elementsOf(conf([port, { ...port, hostIP: '10.0.0.1' }]), POD, 'n c eth0');
  assert.deepEqual(
    placed.filter(({ set }) => set.startsWith('addrs')).map(({ set }) => set),
    ['addrs4'],
  );
  assert.equal(new Set(placed.map(placeKey)).size, placed.length);
});

test('readConditions reads nft’s and iptables’ words alike', () => {
  const read = (words: string[]) => readConditions({ conditionsV4: words }, 'conditionsV4', 4);
  const said = [
    { field: 'daddr', not: true, network: '192.0.2.0/24' },
    { field: 'iifname', not: false, ifname: 'eth0' },
  ];
  assert.deepEqual(read(['ip', 'daddr', '!=', '192.0.2.0/24', 'iifname', '"eth0"']), said);
  assert.deepEqual(read(['!', '-d', '192.0.2.0/24', '-i', 'eth0']), said);
  assert.deepEqual(read(['--dst', '!', '192.0.2.7/24', 'meta', 'iifname', '==', 'eth0']), said);
});

test('readConditions reads a + at the end of iptables’ interfaces as all that begin so, and of nft’s as itself', () => {
  const read = (...words: string[]) => readConditions({ conditionsV4: words }, 'conditionsV4', 4);
  const said = (ifname: string, not = false) => [{ field: 'iifname', not, ifname }];
  assert.deepEqual(read('-i', 'up+'), said('up*'));
  assert.deepEqual(read('!', '--in-interface', 'up+'), said('up*', true));
  assert.deepEqual(read('-i', 'u+p'), said('u+p'));
  assert.deepEqual(read('iifname', 'up+'), said('up+'));
  assert.deepEqual(read('-i', '+'), [], 'any interface is no condition');
  assert.throws(() => read('!', '-i', '+'), PolderError);
});

test('any conditions and mappings are read or refused with code 7', () => {
  const word = fc.oneof(fc.string(), fc.constantFrom('ip', 'saddr', '!', '-d', '!=', '10.0.0.0/8', 'iifname', 'meta'));
  const item = fc.oneof(
    fc.jsonValue(),
    fc.record({ hostPort: fc.nat(70000), containerPort: fc.jsonValue(), protocol: word }),
  );
  fc.assert(
    fc.property(fc.array(word), fc.oneof(fc.array(item), fc.jsonValue()), (conditionsV6, mappings) => {
      try {
        elementsOf(conf(mappings, { conditionsV6 }), POD, 'n c eth0');
      } catch (error) {
        assert.ok(error instanceof PolderError && error.row.cni === 7, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
