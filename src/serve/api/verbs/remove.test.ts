import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONFIG_MAPS, configMap, NAMESPACES, names, PODS, pod, startServer } from '#serve/api/testing/server.ts';
import { at, textAt } from '#spec/kinds/json.ts';

describe('delete', () => {
  it('gives a running pod its grace period; the kubelet then ends it', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p', { spec: { nodeName: 'node1' } }));
    const { body } = await server.client.ask('DELETE', `${PODS}/p`);
    assert.equal(at(body, 'metadata', 'deletionGracePeriodSeconds'), 30);
    assert.notEqual(textAt(body, 'metadata', 'deletionTimestamp'), '');
    assert.equal((await server.client.ask('GET', `${PODS}/p`)).status, 200);
    const shorter = await server.client.ask('DELETE', `${PODS}/p?gracePeriodSeconds=5`);
    assert.equal(at(shorter.body, 'metadata', 'deletionGracePeriodSeconds'), 5);
    await server.client.ask('DELETE', `${PODS}/p`, { gracePeriodSeconds: 0 });
    assert.equal((await server.client.ask('GET', `${PODS}/p`)).status, 404);
  });

  it('removes a pod at once that no node runs', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p'));
    assert.equal((await server.client.ask('DELETE', `${PODS}/p`)).status, 200);
    assert.equal((await server.client.ask('GET', `${PODS}/p`)).status, 404);
  });

  it('waits for finalizers', async () => {
    await using server = await startServer();
    await server.client.ask('POST', CONFIG_MAPS, configMap('c', {}, { finalizers: ['example.com/f'] }));
    await server.client.ask('DELETE', `${CONFIG_MAPS}/c`);
    const { body } = await server.client.ask('GET', `${CONFIG_MAPS}/c`);
    assert.notEqual(textAt(body, 'metadata', 'deletionTimestamp'), '');
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    const added = await server.client.ask(
      'PATCH',
      `${CONFIG_MAPS}/c`,
      { metadata: { finalizers: ['example.com/f', 'example.com/g'] } },
      { headers },
    );
    assert.equal(added.status, 422);
    assert.equal(
      (await server.client.ask('PATCH', `${CONFIG_MAPS}/c`, { metadata: { finalizers: null } }, { headers })).status,
      200,
    );
    assert.equal((await server.client.ask('GET', `${CONFIG_MAPS}/c`)).status, 404);
  });

  it('honours preconditions', async () => {
    await using server = await startServer();
    await server.client.ask('POST', CONFIG_MAPS, configMap('c', {}));
    const wrong = await server.client.ask('DELETE', `${CONFIG_MAPS}/c`, { preconditions: { uid: 'other' } });
    assert.equal(wrong.status, 409);
    assert.match(
      textAt(wrong.body, 'message'),
      /Precondition failed: UID in precondition: other, UID in object meta: /,
    );
    const older = { preconditions: { resourceVersion: '1' } };
    assert.equal((await server.client.ask('DELETE', `${CONFIG_MAPS}/c`, older)).status, 409);
    assert.equal((await server.client.ask('GET', `${CONFIG_MAPS}/c`)).status, 200);
  });

  it('takes a negative grace period for one second', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p', { spec: { nodeName: 'node1' } }));
    const { body } = await server.client.ask('DELETE', `${PODS}/p?gracePeriodSeconds=-5`);
    assert.equal(at(body, 'metadata', 'deletionGracePeriodSeconds'), 1);
  });

  it('of a collection takes what the selector names', async () => {
    await using server = await startServer();
    for (const name of ['a', 'b'])
      await server.client.ask('POST', CONFIG_MAPS, configMap(name, {}, { labels: { app: name } }));
    assert.deepEqual(names((await server.client.ask('DELETE', `${CONFIG_MAPS}?labelSelector=app%3Da`)).body), ['a']);
    assert.deepEqual(names((await server.client.ask('GET', CONFIG_MAPS)).body), ['b']);
  });

  it('of a namespace that the cluster lives by is refused', async () => {
    await using server = await startServer();
    for (const name of ['default', 'kube-system', 'kube-public']) {
      const { status, body } = await server.client.ask('DELETE', `${NAMESPACES}/${name}`);
      assert.equal(status, 403);
      assert.equal(textAt(body, 'message'), `namespaces "${name}" is forbidden: this namespace may not be deleted`);
    }
  });

  it('of a namespace empties it first, and waits for its pods', async () => {
    await using server = await startServer();
    await server.client.ask('POST', NAMESPACES, { metadata: { name: 'n' } });
    const inside = '/api/v1/namespaces/n';
    await server.client.ask('POST', `${inside}/pods`, pod('p', { spec: { nodeName: 'node1' } }));
    await server.client.ask('POST', `${inside}/configmaps`, configMap('c', {}));
    const watching = server.client.watch(`${NAMESPACES}?watch=1&fieldSelector=metadata.name%3Dn`, (events) =>
      events.some((one) => one.type === 'DELETED'),
    );
    const { body } = await server.client.ask('DELETE', `${NAMESPACES}/n`);
    assert.equal(textAt(body, 'status', 'phase'), 'Terminating');
    const refused = await server.client.ask('POST', `${inside}/configmaps`, configMap('d', {}));
    assert.equal(refused.status, 403);
    assert.match(textAt(refused.body, 'message'), /is being terminated/);
    await server.client.ask('DELETE', `${inside}/pods/p?gracePeriodSeconds=0`);
    await watching;
    assert.equal((await server.client.ask('GET', `${inside}/configmaps/c`)).status, 404);
  });
});
