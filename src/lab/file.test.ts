import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readClusterFile } from '#lab/file.ts';
import { PolderError } from '#spec/errors.ts';

const read = (text: string) => readClusterFile('c.yaml', text);

function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof PolderError && error.code === 'file-invalid', String(error));
    return error.message;
  }
  return assert.fail('it was taken');
}

test('readClusterFile reads every field', () => {
  const text = `
name: dev
profile: flannel-vxlan
clusterCIDR: 10.50.0.0/16
subnets: 2
mtu: 9000
apiPort: 7443
masquerade: false
nodes:
- name: a
  subnet: 2
  labels: { disk: ssd, "zone": west }
  taints:
  - { key: dedicated, value: db, effect: NoSchedule }
  - { key: gone, effect: NoExecute }
- name: b
`;
  assert.deepEqual(read(text), {
    warnings: [],
    wanted: {
      name: 'dev',
      profile: 'flannel-vxlan',
      clusterCidr: '10.50.0.0/16',
      subnets: 2,
      mtu: 9000,
      apiPort: 7443,
      masquerade: false,
      nodes: [
        {
          name: 'a',
          subnet: 2,
          labels: { disk: 'ssd', zone: 'west' },
          taints: [
            { key: 'dedicated', value: 'db', effect: 'NoSchedule' },
            { key: 'gone', effect: 'NoExecute' },
          ],
        },
        { name: 'b' },
      ],
    },
  });
});

test('readClusterFile takes a number of nodes, and an empty file', () => {
  assert.deepEqual(read('nodes: 5\n').wanted, { nodeCount: 5 });
  assert.deepEqual(read(''), { wanted: {}, warnings: [] });
});

test('readClusterFile warns of unknown fields with their lines', () => {
  const { warnings } = read('profil: vxlan\nnodes:\n- name: a\n  label: { a: b }\n');
  assert.deepEqual(warnings, ['c.yaml:1: unknown field "profil"', 'c.yaml:4: unknown field "nodes.label"']);
});

test('readClusterFile names file, line and what is wrong', () => {
  assert.equal(refusal('mtu: big\n'), 'c.yaml:1: mtu must be a whole number.');
  assert.equal(refusal('name: x\nnodes:\n- subnet: 1\n'), 'c.yaml:3: a node has no name.');
  assert.equal(refusal('nodes:\n- name: a\n  taints: x\n'), 'c.yaml:3: nodes.taints must be a list.');
  assert.equal(refusal('masquerade: maybe\n'), 'c.yaml:1: masquerade must be true or false.');
  assert.equal(refusal('- a\n- b\n'), 'c.yaml:1: the file must be fields and values, as in "name: value".');
  assert.match(
    refusal('nodes:\n- name: a\n  taints: [{ key: a, effect: Never }]\n'),
    /^c\.yaml:3: a taint's effect is one of NoSchedule/,
  );
  assert.match(refusal('name: [x\n'), /^c\.yaml:\d: .*\.$/);
});

test('readClusterFile answers or refuses any text, never fails otherwise', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        read(text);
      } catch (error) {
        assert.ok(error instanceof PolderError, String(error));
      }
    }),
  );
});
