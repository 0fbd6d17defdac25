import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONFIG_MAPS, configMap, startServer } from '#serve/api/testing/server.ts';
import { at, objectsAt } from '#spec/kinds/json.ts';

describe('sendPieces', () => {
  it('sends a large list whole, and survives a client that leaves in the middle', async () => {
    await using server = await startServer();
    const value = 'x'.repeat(60_000);
    const wanted = Array.from({ length: 40 }, (_, index) => `c${String(index).padStart(2, '0')}`);
    for (const name of wanted) await server.client.ask('POST', CONFIG_MAPS, configMap(name, { value }));
    for (const accept of ['application/json', 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io']) {
      const { body, headers } = await server.client.ask('GET', CONFIG_MAPS, undefined, { headers: { Accept: accept } });
      const names = objectsAt(body, 'items').map((item) => at(item, 'metadata', 'name'));
      assert.deepEqual(names, wanted);
      assert.equal(headers['transfer-encoding'] === 'chunked', accept === 'application/json');
    }
    const left = await server.client.open('GET', CONFIG_MAPS);
    left.destroy();
    const { text } = await server.client.ask('GET', CONFIG_MAPS, undefined, {
      headers: { Accept: 'application/yaml' },
    });
    assert.match(text, /^kind: ConfigMapList$/m);
  });
});
