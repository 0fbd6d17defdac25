import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addrFromBytes } from '#net/addr.ts';
import { ifAddr, prefixOf } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { formatArgs, parseArgs } from '#wire/cni/args.ts';
import { parseNetConf } from '#wire/cni/conf.ts';
import { readErrorObject, toErrorObject } from '#wire/cni/error.ts';
import { decodeCall, encodeAnswer, encodeCall, frameLength } from '#wire/cni/frame.ts';
import { lookup } from '#wire/cni/json.ts';
import { badContainerId, badIfname } from '#wire/cni/names.ts';
import { readRequest } from '#wire/cni/request.ts';
import { appendResult, type CniResult, decodeResult, encodeResult } from '#wire/cni/result.ts';
import { atLeast, SPEC_VERSIONS, versionReply } from '#wire/cni/version.ts';

/** The registry's code of what `run` throws. */
function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof PolderError) return error.code;
    throw error;
  }
  return 'none';
}

const bytes4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const addr = fc.oneof(bytes4, bytes16).map(addrFromBytes);
const anIfAddr = addr.chain((a) => fc.nat(a.includes(':') ? 128 : 32).map((n) => ifAddr(a, n)));
const aPrefix = addr.chain((a) => fc.nat(a.includes(':') ? 128 : 32).map((n) => prefixOf(a, n)));
const word = fc.string({ minLength: 1, maxLength: 12 });
const uint = fc.nat(0xffffffff);
const some = { requiredKeys: [] as [] };

const aResult: fc.Arbitrary<CniResult> = fc.record({
  interfaces: fc.array(
    fc.record(
      { name: word, mac: word, mtu: uint, sandbox: word, socketPath: word, pciID: word },
      { requiredKeys: ['name'] },
    ),
    { minLength: 1, maxLength: 3 },
  ),
  ips: fc.array(
    fc.record({ address: anIfAddr, gateway: addr, interface: fc.constant(0) }, { requiredKeys: ['address'] }),
    { maxLength: 3 },
  ),
  routes: fc.array(
    fc.record(
      { dst: aPrefix, gw: addr, mtu: uint, advmss: uint, priority: uint, table: uint, scope: uint },
      { requiredKeys: ['dst'] },
    ),
    { maxLength: 3 },
  ),
  dns: fc.record({ nameservers: fc.array(word), domain: word, search: fc.array(word), options: fc.array(word) }, some),
});

test('decodeResult of encodeResult gives the same value in 1.1.0', () => {
  fc.assert(
    fc.property(aResult, (result) => {
      const json: unknown = JSON.parse(JSON.stringify(encodeResult(result, '1.1.0')));
      assert.deepEqual(decodeResult(json as Record<string, unknown>), JSON.parse(JSON.stringify(result)));
    }),
  );
});

test('encodeResult for an old version loses only what that version does not know', () => {
  fc.assert(
    fc.property(aResult, fc.constantFrom(...SPEC_VERSIONS.slice(2)), (result, version) => {
      const once = decodeResult(encodeResult(result, version));
      assert.deepEqual(decodeResult(encodeResult(once, '1.1.0')), once);
      assert.deepEqual(once.ips, JSON.parse(JSON.stringify(result.ips)));
      assert.deepEqual(
        once.routes.map((r) => r.dst),
        result.routes.map((r) => r.dst),
      );
    }),
  );
});

test('a result of 0.2.0 has one address of each family, with its routes', () => {
  const old = {
    cniVersion: '0.2.0',
    ip4: { ip: '10.1.0.5/24', gateway: '10.1.0.1', routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }] },
    ip6: { ip: 'fd00::5/64' },
    dns: {},
  };
  const result = decodeResult(old);
  assert.deepEqual(result.ips, [{ address: '10.1.0.5/24', gateway: '10.1.0.1' }, { address: 'fd00::5/64' }]);
  assert.deepEqual(encodeResult(result, '0.2.0'), old);
  assert.equal(
    codeOf(() => decodeResult({ ip4: { ip: '10.1.0.5/99' } })),
    'cni-config',
  );
});

test('encodeResult says the IP version before 1.0.0 and not after', () => {
  const result = decodeResult({ ips: [{ address: '10.1.0.5/24' }, { address: 'fd00::5/64' }] });
  assert.deepEqual(encodeResult(result, '0.3.1').ips, [
    { version: '4', address: '10.1.0.5/24' },
    { version: '6', address: 'fd00::5/64' },
  ]);
  assert.deepEqual(encodeResult(result, '1.0.0').ips, [{ address: '10.1.0.5/24' }, { address: 'fd00::5/64' }]);
});

test('decodeResult takes host bits off a route and null for an empty list', () => {
  const result = decodeResult({ interfaces: null, ips: [], routes: [{ dst: '10.1.2.3/16', gw: '10.1.0.1' }] });
  assert.deepEqual(result.routes, [{ dst: '10.1.0.0/16', gw: '10.1.0.1' }]);
});

test('decodeResult names the key that is wrong', () => {
  assert.throws(() => decodeResult({ ips: [{ address: 'x' }] }, 'prevResult.'), /prevResult\.ips\[0\]\.address .*"x"/);
  assert.throws(() => decodeResult({ ips: [{ address: '10.0.0.1/8', interface: 0 }] }), /ips\[0\]\.interface/);
});

test('appendResult moves interface indices behind those of the result before', () => {
  const before = decodeResult({ interfaces: [{ name: 'a' }], ips: [{ address: '10.0.0.1/8', interface: 0 }] });
  const own = decodeResult({ interfaces: [{ name: 'b' }], ips: [{ address: '10.0.0.2/8', interface: 0 }] });
  assert.deepEqual(
    appendResult(before, own).ips.map((ip) => ip.interface),
    [0, 1],
  );
});

test('parseNetConf reads the specification’s example', () => {
  const conf = parseNetConf(
    JSON.stringify({
      cniVersion: '1.0.0',
      name: 'dbnet',
      type: 'polder',
      mtu: 1400,
      dns: { nameservers: ['10.1.0.1'] },
      args: { cni: { ips: ['10.1.0.9'] } },
      runtimeConfig: { IPs: ['10.1.0.5/16'] },
      prevResult: { ips: [{ version: '4', address: '10.0.0.5/32' }] },
    }),
    'polder',
  );
  assert.equal(conf.name, 'dbnet');
  assert.equal(conf.mtu, 1400);
  assert.deepEqual(lookup(conf.runtimeConfig, 'ips'), ['10.1.0.5/16']);
  assert.deepEqual(conf.cniArgs, { ips: ['10.1.0.9'] });
  assert.deepEqual(conf.prevResult?.ips, [{ address: '10.0.0.5/32' }]);
});

test('lookup takes the exact spelling, else the first of others, and nothing else', () => {
  assert.equal(lookup({ HostPort: 1, hostPort: 2 }, 'hostPort'), 2);
  assert.equal(lookup({ HOSTPORT: 1, HostPort: 2 }, 'hostPort'), 1);
  assert.equal(lookup({ hostPor: 1, hostPorts: 2, hostIort: 3 }, 'hostPort'), undefined);
  assert.equal(lookup({}, 'toString'), undefined);
  assert.equal(lookup(JSON.parse('{"__proto__": {"mtu": 1}}'), 'mtu'), undefined);
});

test('parseNetConf refuses with the code of what is wrong', () => {
  const conf = (text: string) => codeOf(() => parseNetConf(text, 'polder'));
  assert.equal(conf(''), 'cni-decode');
  assert.equal(conf('[]'), 'cni-decode');
  assert.equal(conf('{"name":"a"}'), 'none');
  assert.equal(conf('{"cniVersion":"9.0.0","name":"a"}'), 'cni-version');
  assert.equal(conf('{"cniVersion":"1.0.0"}'), 'cni-config');
  assert.equal(conf('{"cniVersion":"1.0.0","name":"-a"}'), 'cni-config');
  assert.equal(conf('{"cniVersion":"1.0.0","name":"a","mtu":12}'), 'cni-config');
  assert.equal(
    conf('{"cniVersion":"1.0.0","name":"a","cni.dev/valid-attachments":[{"containerID":""}]}'),
    'cni-config',
  );
});

test('parseNetConf for DEL and GC takes what only ADD needs for absent when it is wrong', () => {
  const valid = { 'cni.dev/valid-attachments': [] };
  for (const broken of [
    { mtu: 12 },
    { dns: { nameservers: 'x' } },
    { prevResult: { ips: [{ address: '10.80.0.2/24', interface: 0 }] } },
    { prevResult: { interfaces: [{ name: 'eth0' }], ips: [{ address: '10.80.0.2/24', interface: -1 }] } },
    { prevResult: { routes: [{ dst: '' }] } },
    { prevResult: 'x' },
    { runtimeConfig: 'x' },
    { args: { cni: [] } },
  ]) {
    const text = JSON.stringify({ cniVersion: '1.1.0', name: 'a', ...valid, ...broken });
    for (const command of ['ADD', 'CHECK'] as const)
      assert.equal(
        codeOf(() => parseNetConf(text, 'polder', command)),
        'cni-config',
        text,
      );
    for (const command of ['DEL', 'GC'] as const) {
      const conf = parseNetConf(text, 'polder', command);
      assert.deepEqual([conf.mtu, conf.dns, conf.prevResult], [undefined, {}, undefined], text);
    }
  }
});

test('parseNetConf for GC must be told what stays: an empty list is an order, silence is none', () => {
  const conf = (more: object) =>
    parseNetConf(JSON.stringify({ cniVersion: '1.1.0', name: 'a', ...more }), 'polder', 'GC').validAttachments;
  assert.throws(() => conf({}), /cni\.dev\/valid-attachments must name the attachments that stay, but it is missing/);
  assert.deepEqual(conf({ 'cni.dev/valid-attachments': [] }), []);
  assert.deepEqual(conf({ 'cni.dev/valid-attachments': null }), [], 'Go’s empty list');
  const one = [{ containerID: 'c1', ifname: 'eth0' }];
  assert.deepEqual(conf({ 'cni.dev/valid-attachments': one }), one);
  assert.deepEqual(conf({ 'cni.dev/attachments': one }), one, 'the name that the specification had by mistake');
});

test('parseNetConf throws nothing but PolderError, whatever the text', () => {
  const keys = fc.constantFrom('cniVersion', 'name', 'type', 'mtu', 'dns', 'args', 'runtimeConfig', 'prevResult', 'x');
  const near = fc
    .dictionary(keys, fc.oneof(fc.jsonValue(), fc.constantFrom('1.0.0', 'net')))
    .map((v) => JSON.stringify(v));
  fc.assert(
    fc.property(fc.oneof(fc.string(), near), (text) => {
      codeOf(() => parseNetConf(text, 'polder'));
    }),
  );
});

test('readRequest names the variables that are missing', () => {
  assert.throws(() => readRequest('polder', { CNI_COMMAND: 'ADD' }, ''), /CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME/);
  assert.throws(() => readRequest('polder', { CNI_COMMAND: 'DEL' }, ''), /CNI_CONTAINERID, CNI_IFNAME/);
  assert.throws(() => readRequest('polder', { CNI_COMMAND: 'add' }, ''), /Unknown CNI_COMMAND "add"/);
  assert.equal(readRequest('/opt/cni/bin/polder', { CNI_COMMAND: 'STATUS', CNI_IFNAME: '!' }, '').plugin, 'polder');
});

test('badIfname follows the kernel’s limits', () => {
  for (const good of ['eth0', 'a', 'x'.repeat(15), 'br-1.2@']) assert.equal(badIfname(good), undefined, good);
  for (const bad of ['', '.', '..', 'x'.repeat(16), 'a/b', 'a:b', 'a b', 'a\tb', 'ü']) assert.ok(badIfname(bad), bad);
});

test('badContainerId follows the specification’s pattern', () => {
  for (const good of ['a', '0', 'a_b.c-d', 'f'.repeat(64)]) assert.equal(badContainerId(good), undefined, good);
  for (const bad of ['', '-a', '.a', '_a', 'a/b', 'a b', 'a\n', 'x'.repeat(300)]) assert.ok(badContainerId(bad), bad);
});

test('parseArgs takes what formatArgs wrote', () => {
  const key = fc.stringMatching(/^[A-Z0-9_]+$/);
  const pairs = fc.uniqueArray(fc.tuple(key, fc.stringMatching(/^[^;]*$/)), { selector: ([k]) => k });
  fc.assert(fc.property(pairs, (args) => assert.deepEqual([...parseArgs(formatArgs(args))], args)));
  assert.equal(
    codeOf(() => parseArgs('A')),
    'cni-environment',
  );
});

test('decodeCall of encodeCall gives the same call', () => {
  const textWithoutNul = fc.string().filter((s) => !s.includes('\0'));
  const env = fc.dictionary(fc.stringMatching(/^CNI_[A-Z]+$/), textWithoutNul, { noNullPrototype: true });
  fc.assert(
    fc.property(textWithoutNul, env, fc.string(), (argv0, vars, stdin) => {
      const frame = encodeCall({ argv0, env: vars, stdin });
      assert.equal(frameLength(frame), frame.length);
      assert.deepEqual(decodeCall(frame), { argv0, env: vars, stdin });
    }),
  );
});

test('decodeCall throws nothing but PolderError, whatever the bytes', () => {
  const framed = fc.uint8Array().map((body) => {
    const frame = encodeAnswer(0, '').slice(0, 8 + 0);
    new DataView(frame.buffer).setUint32(4, body.length);
    return Uint8Array.of(...frame, ...body);
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), framed), (bytes) => {
      codeOf(() => decodeCall(bytes));
    }),
  );
});

test('frameLength refuses a stranger and a giant, and waits for the header', () => {
  assert.equal(frameLength(new Uint8Array(7)), undefined);
  assert.equal(
    codeOf(() => frameLength(new TextEncoder().encode('GET / HTTP/1.1'))),
    'cni-decode',
  );
  assert.equal(
    codeOf(() => frameLength(Uint8Array.of(0x50, 0x43, 0x4e, 0x31, 255, 0, 0, 0))),
    'cni-decode',
  );
});

test('toErrorObject says the registry’s CNI code, and readErrorObject reads it back', () => {
  const object = toErrorObject(new PolderError('cni-try-later', { what: 'Busy' }), '1.0.0');
  assert.deepEqual(object, { cniVersion: '1.0.0', code: 11, msg: 'Busy', details: 'Try again later.' });
  assert.deepEqual(readErrorObject(JSON.parse(JSON.stringify(object))), object);
  assert.equal(toErrorObject(new Error('x'), '1.0.0').code, 999);
  assert.equal(readErrorObject({ msg: 'x' }), undefined);
});

test('versions compare by their order', () => {
  assert.ok(atLeast('1.0.0', '0.4.0') && atLeast('0.4.0', '0.4.0'));
  assert.ok(!atLeast('0.3.1', '0.4.0'));
  assert.deepEqual(versionReply('0.4.0'), {
    cniVersion: '0.4.0',
    supportedVersions: ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
  });
  assert.equal(versionReply('7').cniVersion, '1.1.0');
});
