import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Bed, bed, ROUTED } from '#cni/testing/bed.ts';
import { noReference, ourNode, referenceNode } from '#cni/testing/differential.ts';
import { smallDisk } from '#cni/testing/small-disk.ts';

const skip = noReference('host-local');
const SUBNET = '10.9.0.0/29';

function confOf(dataDir: string, more: object = {}) {
  return {
    cniVersion: '1.0.0',
    name: 'net',
    type: 'host-local',
    ipam: { type: 'host-local', dataDir, subnet: SUBNET, ...more },
  };
}

/** Name -> contents of everything in the network's folder. */
function files(dataDir: string): Record<string, string> {
  const dir = join(dataDir, 'net');
  return Object.fromEntries(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), 'utf8')]));
}

/** The same calls on both sides; what each said and what was in the folder after each. */
async function both(b: Bed, calls: readonly { id: string; command?: string; more?: object; args?: string }[]) {
  const sides = [];
  for (const [side, node] of [
    ['theirs', referenceNode()],
    ['ours', ourNode(b)],
  ] as const) {
    using _ = node;
    const dataDir = join(b.dir, side);
    const said = [];
    for (const { id, command = 'ADD', more, args = '' } of calls) {
      const env = { CNI_CONTAINERID: id, CNI_ARGS: args };
      const { exit, json } = await node.cni(command, confOf(dataDir, more), env);
      said.push({ exit, ...(exit === 0 && { json }), files: files(dataDir) });
    }
    sides.push(said);
  }
  return sides;
}

const CASES = {
  'round robin, until the range is used up': [1, 2, 3, 4, 5, 6].map((i) => ({ id: `c${i}` })),
  'a freed address rests': [
    { id: 'a' },
    { id: 'b' },
    { id: 'a', command: 'DEL' },
    { id: 'c' },
    { id: 'd' },
    { id: 'e' },
    { id: 'f' },
    { id: 'f', command: 'DEL' },
    { id: 'f', command: 'DEL' },
  ],
  'the same container twice': [{ id: 'a' }, { id: 'a' }],
  // Not one of an address outside: the reference then gives another, moves on behind it, and takes it back.
  'a wish': [
    { id: 'a', args: 'IP=10.9.0.5' },
    { id: 'b', args: 'IP=10.9.0.5' },
    { id: 'c', args: 'IP=10.9.0.1' },
    { id: 'e' },
  ],
  ranges: [
    {
      id: 'a',
      more: {
        subnet: undefined,
        ranges: [
          [
            { subnet: '10.8.0.0/24', rangeStart: '10.8.0.9', rangeEnd: '10.8.0.9' },
            { subnet: '10.7.0.0/24', gateway: '10.7.0.9' },
          ],
          [{ subnet: 'fd00::/64' }],
        ],
      },
    },
    {
      id: 'b',
      more: {
        subnet: undefined,
        ranges: [
          [
            { subnet: '10.8.0.0/24', rangeStart: '10.8.0.9', rangeEnd: '10.8.0.9' },
            { subnet: '10.7.0.0/24', gateway: '10.7.0.9' },
          ],
          [{ subnet: 'fd00::/64' }],
        ],
      },
    },
  ],
} as const;

for (const [name, calls] of Object.entries(CASES)) {
  test(`host-local as the reference: ${name}`, { skip }, async (t) => {
    const [theirs, ours] = await both(await bed(t, ROUTED), calls);
    assert.deepEqual(ours, theirs);
  });
}

test('host-local takes over a folder of the reference, and gives it back', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using ours = ourNode(b);
  using theirs = referenceNode();
  const conf = confOf(join(b.dir, 'shared'));
  const add = async (node: typeof ours, id: string) => {
    const { stdout } = await node.cni('ADD', conf, { CNI_CONTAINERID: id });
    return /"address": ?"([^"]+)"/.exec(stdout)?.[1] ?? stdout;
  };
  assert.equal(await add(theirs, 'a'), '10.9.0.2/29');
  assert.equal(await add(ours, 'b'), '10.9.0.3/29');
  assert.equal(await add(theirs, 'c'), '10.9.0.4/29');
  for (const [node, id] of [
    [ours, 'a'],
    [theirs, 'b'],
    [ours, 'c'],
  ] as const) {
    assert.equal((await node.cni('DEL', conf, { CNI_CONTAINERID: id })).exit, 0);
  }
  assert.deepEqual(Object.keys(files(join(b.dir, 'shared'))).sort(), ['last_reserved_ip.0', 'lock']);
});

test('host-local frees the oldest form, which has no interface', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const dataDir = join(b.dir, 'old');
  mkdirSync(join(dataDir, 'net'), { recursive: true });
  writeFileSync(join(dataDir, 'net/10.9.0.4'), 'a');
  assert.equal((await node.cni('CHECK', confOf(dataDir), { CNI_CONTAINERID: 'a' })).exit, 0);
  assert.equal((await node.cni('DEL', confOf(dataDir), { CNI_CONTAINERID: 'a' })).exit, 0);
  assert.deepEqual(Object.keys(files(dataDir)), ['lock']);
});

test('host-local: codes, STATUS, CHECK and GC', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const conf = { ...confOf(join(b.dir, 'ipam')), cniVersion: '1.1.0' };
  const code = async (command: string, more: object = {}, id = 'a', args = '') =>
    (await node.cni(command, { ...conf, ...more }, { CNI_CONTAINERID: id, CNI_ARGS: args })).json?.code;
  assert.equal(await code('STATUS'), undefined);
  assert.equal(await code('CHECK'), 112);
  for (const id of ['a', 'b', 'c', 'd', 'e']) assert.equal(await code('ADD', {}, id), undefined);
  assert.equal(await code('ADD', {}, 'f'), 11);
  assert.equal(await code('STATUS'), 50);
  assert.equal(await code('CHECK'), undefined);
  const valid = [{ containerID: 'b', ifname: 'eth0' }];
  assert.equal(await code('GC', { 'cni.dev/valid-attachments': valid }), undefined);
  assert.deepEqual(Object.keys(files(join(b.dir, 'ipam'))).sort(), ['10.9.0.3', 'last_reserved_ip.0', 'lock']);
  assert.equal(await code('ADD', {}, 'g', 'IP=10.9.0.3'), 110);
  assert.equal(await code('ADD', {}, 'g', 'IP=10.1.0.3'), 7);
  assert.equal(await code('ADD', { ipam: { type: 'host-local' } }), 7);
  assert.equal(await code('ADD', { ipam: { ...conf.ipam, subnet: '10.9.0.1/29' } }), 7);
  assert.equal(await code('ADD', { ipam: { ...conf.ipam, resolvConf: '/nowhere' } }), 5);
});

test('100 ADDs at once get 100 addresses, and 100 DELs give them back', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const conf = confOf(join(b.dir, 'many'), { subnet: '10.9.0.0/24' });
  const all = (command: string) =>
    Promise.all(Array.from({ length: 100 }, (_, i) => node.cni(command, conf, { CNI_CONTAINERID: `c${i}` })));
  const added = await all('ADD');
  assert.equal(new Set(added.map(({ json }) => JSON.stringify(json?.ips))).size, 100);
  await all('DEL');
  assert.deepEqual(Object.keys(files(join(b.dir, 'many'))).sort(), ['last_reserved_ip.0', 'lock']);
});

test('host-local takes away the file of somebody who was killed before he wrote his name into it', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const dataDir = join(b.dir, 'ipam');
  const call = async (command: string, id: string) =>
    (await node.cni(command, confOf(dataDir), { CNI_CONTAINERID: id })).exit;
  assert.equal(await call('ADD', 'a'), 0);
  writeFileSync(join(dataDir, 'net', '10.9.0.3'), '');
  assert.equal(await call('DEL', 'killed'), 0);
  assert.deepEqual(Object.keys(files(dataDir)).toSorted(), ['10.9.0.2', 'last_reserved_ip.0', 'lock']);
  writeFileSync(join(dataDir, 'net', '10.9.0.3'), '');
  assert.equal(await call('ADD', 'b'), 0);
  assert.equal(files(dataDir)['10.9.0.3'], 'b\r\neth0');
});

test('host-local: the address that was given last is whole when it is shorter than the one before', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const dataDir = join(b.dir, 'ipam');
  const more = { subnet: '10.9.0.0/24', rangeStart: '10.9.0.99', rangeEnd: '10.9.0.101' };
  for (const [id, addr] of [
    ['a', '10.9.0.99'],
    ['b', '10.9.0.100'],
    ['c', '10.9.0.101'],
  ] as const) {
    assert.equal((await node.cni('ADD', confOf(dataDir, more), { CNI_CONTAINERID: id })).exit, 0);
    assert.equal(files(dataDir)['last_reserved_ip.0'], addr);
  }
  assert.equal((await node.cni('DEL', confOf(dataDir, more), { CNI_CONTAINERID: 'a' })).exit, 0);
  assert.equal((await node.cni('ADD', confOf(dataDir, more), { CNI_CONTAINERID: 'd' })).exit, 0);
  assert.equal(files(dataDir)['last_reserved_ip.0'], '10.9.0.99');
});

test('host-local gives an address also where it cannot note that it gave it last', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  // Its root, the network's folder, the lock, one address.
  const dataDir = await smallDisk(t, 'nr_inodes=4');
  const call = async (command: string, id: string) =>
    (await node.cni(command, confOf(dataDir), { CNI_CONTAINERID: id })).exit;
  assert.equal(await call('ADD', 'a'), 0);
  assert.deepEqual(Object.keys(files(dataDir)).sort(), ['10.9.0.2', 'lock']);
  assert.equal(await call('DEL', 'a'), 0);
  assert.deepEqual(Object.keys(files(dataDir)), ['lock']);
});

test('host-local: ADD that has no room to write who has the address leaves nothing behind', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const dataDir = await smallDisk(t, 'size=4k');
  const add = async (id: string) => (await node.cni('ADD', confOf(dataDir), { CNI_CONTAINERID: id })).json?.code;
  assert.equal(await add('a'), undefined);
  const before = files(dataDir);
  assert.equal(await add('b'), 5);
  assert.deepEqual(files(dataDir), before);
});

test('host-local: a folder named as an address is nobody’s, and is not given', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const dataDir = join(b.dir, 'ipam');
  mkdirSync(join(dataDir, 'net', '10.9.0.2'), { recursive: true });
  const call = (command: string, more: object = {}) => node.cni(command, { ...confOf(dataDir), ...more });
  const { json } = await call('ADD');
  assert.deepEqual(json?.ips, [{ address: '10.9.0.3/29', gateway: '10.9.0.1' }]);
  assert.equal((await call('CHECK')).exit, 0);
  assert.equal((await call('DEL')).exit, 0);
  assert.equal((await call('GC', { cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] })).exit, 0);
  assert.deepEqual(readdirSync(join(dataDir, 'net')).sort(), ['10.9.0.2', 'last_reserved_ip.0', 'lock']);
});
