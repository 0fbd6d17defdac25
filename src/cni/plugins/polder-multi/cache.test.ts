import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CachedPod, decode } from '#cni/plugins/polder-multi/cache.ts';

const attachment = fc.record(
  {
    network: fc.string(),
    isDefault: fc.boolean(),
    ifname: fc.string(),
    config: fc.string(),
    capabilityArgs: fc.dictionary(fc.string(), fc.jsonValue()),
    cniArgs: fc.dictionary(fc.string(), fc.jsonValue()),
  },
  { noNullPrototype: true },
);

test('decode reads back what was written', () => {
  const pod = fc.record({
    network: fc.string(),
    containerId: fc.string(),
    ifname: fc.string(),
    args: fc.array(fc.tuple(fc.string(), fc.string())),
    attachments: fc.array(attachment),
  });
  fc.assert(
    fc.property(pod, (one) => {
      const text = JSON.stringify(one satisfies CachedPod);
      assert.deepEqual(JSON.parse(JSON.stringify(decode(JSON.parse(text)))), JSON.parse(text));
    }),
  );
});

test('decode takes nothing else', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => assert.equal(decode(value), undefined)));
  assert.equal(decode({ network: 'n', containerId: 'c', ifname: 'i', args: [], attachments: [{}] }), undefined);
});
