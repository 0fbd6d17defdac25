import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PolderError } from '#spec/errors.ts';
import { type NetworkSelection, parseNetworkSelections } from '#wire/cni/network-selection.ts';

test('parseNetworkSelections reads the short form', () => {
  assert.deepEqual(parseNetworkSelections('flannel-conf', 'default'), [{ name: 'flannel-conf', namespace: 'default' }]);
  assert.deepEqual(parseNetworkSelections(' a , kube-system/b@eth7,c@x0 ', 'web'), [
    { name: 'a', namespace: 'web' },
    { name: 'b', namespace: 'kube-system', ifname: 'eth7' },
    { name: 'c', namespace: 'web', ifname: 'x0' },
  ]);
  assert.deepEqual(parseNetworkSelections('other / red @ x1', 'web'), [
    { name: 'red', namespace: 'other', ifname: 'x1' },
  ]);
  assert.deepEqual(parseNetworkSelections('  ', 'web'), []);
});

test('parseNetworkSelections reads the JSON form with all of its keys', () => {
  const text = JSON.stringify([
    {
      name: 'a',
      namespace: 'other',
      interface: 'data0',
      ips: ['10.2.2.42/24', 'fd00::5'],
      mac: '02:11:22:33:44:55',
      'default-route': ['10.2.2.1'],
      'cni-args': { rack: 7 },
      portMappings: [{ hostPort: 8080, containerPort: 80 }],
      'infiniband-guid': 'c2:11:22:33:44:55:66:77',
      deviceID: '0000:03:02.3',
      unheard: 'of',
    },
    { name: 'b', ips: '10.0.0.1, 10.0.0.2', interface: '' },
  ]);
  assert.deepEqual(parseNetworkSelections(text, 'web'), [
    {
      name: 'a',
      namespace: 'other',
      ifname: 'data0',
      ips: ['10.2.2.42/24', 'fd00::5'],
      mac: '02:11:22:33:44:55',
      defaultRoute: ['10.2.2.1'],
      cniArgs: { rack: 7 },
      capabilities: {
        portMappings: [{ hostPort: 8080, containerPort: 80 }],
        infinibandGUID: 'c2:11:22:33:44:55:66:77',
        deviceID: '0000:03:02.3',
      },
    },
    { name: 'b', namespace: 'web', ips: ['10.0.0.1', '10.0.0.2'] },
  ]);
});

test('parseNetworkSelections takes one default route of each family', () => {
  const read = (...routes: string[][]) =>
    parseNetworkSelections(JSON.stringify(routes.map((way, i) => ({ name: `n${i}`, 'default-route': way }))), 'web');
  assert.deepEqual(
    read(['10.0.0.1'], ['fd00::1'], []).map(({ defaultRoute }) => defaultRoute),
    [['10.0.0.1'], ['fd00::1'], []],
  );
  assert.equal(read(['10.0.0.1', '10.0.0.2', 'fd00::1']).length, 1);
  assert.throws(() => read(['10.0.0.1'], ['fd00::1', '10.0.0.2']), {
    code: 'cni-config',
    message: /default-route must be asked for IPv4 of one network, but it is "web\/n0 and web\/n1"/,
  });
});

test('parseNetworkSelections names what is wrong', () => {
  const fails = (text: string, message: RegExp) =>
    assert.throws(() => parseNetworkSelections(text, 'web'), { code: 'cni-config', message });
  fails('a,,b', /cncf.io\/networks: each network/);
  fails('a/b/c', /each network/);
  fails('Upper', /name must be the name of an object/);
  fails('../x', /name of an object/);
  fails('a@much-too-long-a-name', /name of an interface, and it is longer/);
  fails('a@x,b@x', /only once/);
  fails('[{"name":"a","ips":["10.0.0"]}]', /\[0\]\.ips\[0\] must be an IP address/);
  fails('[{"name":"a","default-route":["gw"]}]', /\[0\]\.default-route\[0\]/);
  fails('[{"namespace":"a"}]', /\[0\]\.name/);
  fails('[7]', /\[0\] must be an object/);
  fails('[', /must be JSON/);
  fails(Array.from({ length: 65 }, (_, i) => `n${i}`).join(), /at most 64/);
});

test('parseNetworkSelections reads any text or refuses it in the registry’s words', () => {
  const element = fc.record(
    {
      name: fc.oneof(fc.constant('net'), fc.anything()),
      namespace: fc.oneof(fc.constant('ns'), fc.anything()),
      interface: fc.oneof(fc.constant('net1'), fc.anything()),
      ips: fc.oneof(fc.constant(['10.0.0.1']), fc.anything()),
      mac: fc.anything(),
      'default-route': fc.oneof(fc.constant(['10.0.0.1']), fc.anything()),
      'cni-args': fc.anything(),
    },
    { requiredKeys: [] },
  );
  const json = fc.oneof(fc.array(element), element, fc.anything()).map((value) => {
    try {
      return JSON.stringify(value) ?? '';
    } catch {
      return '';
    }
  });
  const short = fc.array(fc.stringMatching(/^[a-z/@, .-]{0,12}$/)).map((parts) => parts.join(','));
  fc.assert(
    fc.property(fc.oneof(fc.string(), json, short), (text) => {
      let read: NetworkSelection[];
      try {
        read = parseNetworkSelections(text, 'default');
      } catch (error) {
        assert.ok(error instanceof PolderError && error.code === 'cni-config', String(error));
        return;
      }
      for (const { name, namespace, ifname } of read) {
        // They become parts of paths.
        for (const part of [name, namespace, ifname ?? '']) assert.ok(!/[/\0\s]/.test(part));
      }
    }),
    { numRuns: 2000 },
  );
});

test('parseNetworkSelections reads the short form back from what it stands for', () => {
  const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?$/);
  const selection = fc.record({ name, namespace: name });
  fc.assert(
    fc.property(fc.array(selection, { minLength: 1, maxLength: 9 }), (wanted) => {
      const text = wanted.map((one, i) => `${one.namespace}/${one.name}@if${i}`).join(', ');
      const read = parseNetworkSelections(text, 'default');
      assert.deepEqual(
        read,
        wanted.map((one, i) => ({ ...one, ifname: `if${i}` })),
      );
      assert.deepEqual(
        parseNetworkSelections(JSON.stringify(wanted.map((one, i) => ({ ...one, interface: `if${i}` }))), 'default'),
        read,
      );
    }),
  );
});
