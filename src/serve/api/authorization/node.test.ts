/** Nodes: they read what their pods name, and write what is their own. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { nodeUser } from '#serve/api/pki/kubeconfig.ts';
import { TokenIssuer } from '#serve/api/pki/tokens.ts';
import { configMap, NAMESPACES, NODES, PODS, pod, startServer, type TestServer } from '#serve/api/testing/server.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import { type JsonObject, objectAt, textAt } from '#spec/kinds/json.ts';

const CORE = '/api/v1/namespaces/default';
const SYSTEM = '/api/v1/namespaces/kube-system';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
const CSI_NODES = '/apis/storage.k8s.io/v1/csinodes';
const CALICO = '/apis/crd.projectcalico.org/v1';
const MERGE = { 'Content-Type': 'application/merge-patch+json' };
const STRATEGIC = { 'Content-Type': 'application/strategic-merge-patch+json' };

let server: TestServer;
let tokens: Readonly<Record<'one' | 'two' | 'nameless', string>>;
let podUid = '';

async function give(path: string, body: JsonObject): Promise<JsonObject> {
  const answer = await server.client.ask('POST', path, body);
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

/** Names of each object that the pod of node one may lead to: `env`, `from`, `volume`, `projected`, `image`. */
const WAYS = ['env', 'from', 'volume', 'projected'];
const SPEC: JsonObject = {
  nodeName: 'one',
  serviceAccountName: 'robot',
  imagePullSecrets: [{ name: 'image' }],
  containers: [
    {
      name: 'c',
      image: 'i',
      env: [
        { name: 'A', valueFrom: { secretKeyRef: { name: 'env', key: 'k' } } },
        { name: 'B', valueFrom: { configMapKeyRef: { name: 'env', key: 'k' } } },
      ],
      envFrom: [{ secretRef: { name: 'from' } }, { configMapRef: { name: 'from' } }],
    },
  ],
  volumes: [
    { name: 'a', secret: { secretName: 'volume' } },
    { name: 'b', configMap: { name: 'volume' } },
    { name: 'c', projected: { sources: [{ secret: { name: 'projected' } }, { configMap: { name: 'projected' } }] } },
    { name: 'd', persistentVolumeClaim: { claimName: 'data' } },
  ],
};

before(async () => {
  server = await startServer();
  const issuer = new TokenIssuer(server.dataDir);
  const tokenOf = (user: Parameters<TokenIssuer['issue']>[0]) => issuer.issue(user, Date.now());
  tokens = {
    one: tokenOf(nodeUser('one')),
    two: tokenOf(nodeUser('two')),
    nameless: tokenOf({ name: 'system:nodes', groups: ['system:nodes', 'system:authenticated'] }),
  };
  for (const name of ['one', 'two']) await give(NODES, { metadata: { name } });
  await give(`${CORE}/serviceaccounts`, { metadata: { name: 'robot' } });
  for (const name of [...WAYS, 'image', 'hidden']) {
    await give(`${CORE}/secrets`, { metadata: { name } });
    await give(`${CORE}/configmaps`, configMap(name, {}));
  }
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, volumeName: 'disk' };
  for (const name of ['data', 'hidden'])
    await give(`${CORE}/persistentvolumeclaims`, { metadata: { name }, spec: claim });
  const volume = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } };
  for (const name of ['disk', 'hidden']) await give('/api/v1/persistentvolumes', { metadata: { name }, spec: volume });
  podUid = textAt(await give(PODS, pod('mine', { spec: SPEC })), 'metadata', 'uid');
  await give(PODS, pod('other', { spec: { nodeName: 'two' } }));
});
after(() => server[Symbol.asyncDispose]());

type Who = keyof typeof tokens;

async function as(who: Who, method: string, path: string, body?: JsonObject, headers: Record<string, string> = {}) {
  return await server.client.ask(method, path, body, { token: tokens[who], headers });
}

describe('a node', () => {
  for (const [kind, ways] of [
    ['secrets', [...WAYS, 'image']],
    ['configmaps', WAYS],
  ] as const)
    it(`reads the ${kind} that its pods name, one by one, and no others`, async () => {
      for (const name of ways) {
        const selector = `fieldSelector=metadata.name%3D${name}`;
        for (const path of [`${kind}/${name}`, `${kind}?${selector}`, `${kind}?${selector}&watch=1&timeoutSeconds=1`]) {
          assert.equal((await as('one', 'GET', `${CORE}/${path}`)).status, 200, path);
          assert.equal((await as('two', 'GET', `${CORE}/${path}`)).status, 403, path);
        }
      }
      for (const path of [`${CORE}/${kind}`, `/api/v1/${kind}`, `${CORE}/${kind}/hidden`, `${SYSTEM}/${kind}/env`])
        assert.equal((await as('one', 'GET', path)).status, 403, path);
      for (const method of ['PUT', 'DELETE'])
        assert.equal((await as('one', method, `${CORE}/${kind}/env`, {})).status, 403);
    });

  it('reads claims of its pods, their volumes and their account', async () => {
    for (const path of [
      `${CORE}/persistentvolumeclaims/data`,
      '/api/v1/persistentvolumes/disk',
      `${CORE}/serviceaccounts/robot`,
    ]) {
      assert.equal((await as('one', 'GET', path)).status, 200, path);
      assert.equal((await as('two', 'GET', path)).status, 403, path);
    }
    for (const path of [
      `${CORE}/persistentvolumeclaims/hidden`,
      '/api/v1/persistentvolumes/hidden',
      `${CORE}/persistentvolumeclaims`,
    ])
      assert.equal((await as('one', 'GET', path)).status, 403, path);
  });

  it('reads what an object that is not there would be called, if its pods name it', async () => {
    assert.equal((await as('one', 'GET', `${CORE}/configmaps/image`)).status, 403, 'only a secret is called so');
    const optional = [{ name: 'a', configMap: { name: 'absent', optional: true } }];
    await give(PODS, pod('hopeful', { spec: { nodeName: 'one', volumes: optional } }));
    assert.equal((await as('one', 'GET', `${CORE}/configmaps/absent`)).status, 404);
    await server.client.ask('DELETE', `${PODS}/hopeful?gracePeriodSeconds=0`);
    assert.equal((await as('one', 'GET', `${CORE}/configmaps/absent`)).status, 403, 'with the pod the right goes');
  });

  it("reads its agent's settings, and passwords that BGP peers name", async () => {
    await give(`${SYSTEM}/configmaps`, configMap(CONFIG_MAP.name, {}));
    await give(`${SYSTEM}/secrets`, { metadata: { name: 'bgp' } });
    assert.equal(
      (
        await as(
          'two',
          'GET',
          `${SYSTEM}/configmaps?fieldSelector=metadata.name%3D${CONFIG_MAP.name}&watch=1&timeoutSeconds=1`,
        )
      ).status,
      200,
    );
    assert.equal((await as('two', 'GET', `${SYSTEM}/secrets/bgp`)).status, 403);
    const password = { secretKeyRef: { name: 'bgp', key: 'password' } };
    await give(`${CALICO}/bgppeers`, {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'BGPPeer',
      metadata: { name: 'tor' },
      spec: { peerIP: '192.0.2.1', asNumber: 64512, password },
    });
    assert.equal((await as('two', 'GET', `${SYSTEM}/secrets/bgp`)).status, 200);
  });

  it('writes itself, and no other node', async () => {
    const labels = { metadata: { labels: { a: 'b' } } };
    const status = { status: { conditions: [{ type: 'Ready', status: 'True' }] } };
    for (const [path, body] of [
      [`${NODES}/one`, labels],
      [`${NODES}/one/status`, status],
    ] as const) {
      assert.equal((await as('one', 'PATCH', path, body, MERGE)).status, 200, path);
      const refused = await as('two', 'PATCH', path, body, MERGE);
      assert.equal(refused.status, 403, path);
      assert.equal(
        textAt(refused.body, 'message'),
        'nodes "one" is forbidden: node "two" is not allowed to modify node "one"',
      );
    }
    assert.equal((await as('one', 'POST', NODES, { metadata: { name: 'three' } })).status, 403);
    assert.equal((await as('one', 'DELETE', `${NODES}/one`)).status, 403);
    for (const wrong of [
      { metadata: { labels: { 'node-restriction.kubernetes.io/trusted': 'yes' } } },
      { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } },
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'one', uid: 'u' }] } },
    ])
      assert.equal((await as('one', 'PATCH', `${NODES}/one`, wrong, MERGE)).status, 403, JSON.stringify(wrong));
  });

  it('writes the status of its pods and their annotations, nothing else of them, and nothing of others', async () => {
    const status = { status: { phase: 'Running' } };
    const note = { metadata: { annotations: { 'k8s.v1.cni.cncf.io/network-status': '[]' } } };
    for (const [path, body] of [
      [`${PODS}/mine/status`, status],
      [`${PODS}/mine`, note],
    ] as const) {
      assert.equal((await as('one', 'PATCH', path, body, STRATEGIC)).status, 200, path);
      assert.equal((await as('two', 'PATCH', path, body, STRATEGIC)).status, 403, path);
    }
    const image = { spec: { containers: [{ name: 'c', image: 'evil' }] } };
    const labels = { metadata: { labels: { app: 'db' } } };
    const finalizers: JsonObject = { metadata: { finalizers: ['example.com/f'] } };
    for (const [path, body] of [
      [`${PODS}/mine`, image],
      [`${PODS}/mine`, labels],
      [`${PODS}/mine`, finalizers],
      [`${PODS}/mine/status`, labels],
    ] as const)
      assert.equal((await as('one', 'PATCH', path, body, STRATEGIC)).status, 403, JSON.stringify(body));
    const apply = { ...pod('mine'), spec: SPEC };
    const headers = { 'Content-Type': 'application/apply-patch+yaml' };
    assert.equal((await as('two', 'PATCH', `${PODS}/mine?fieldManager=x&force=true`, apply, headers)).status, 403);
  });

  it('makes mirrors of its static pods only, and ends its own pods only', async () => {
    const annotations = { 'kubernetes.io/config.mirror': 'hash' };
    const uid = textAt((await server.client.ask('GET', `${NODES}/one`)).body, 'metadata', 'uid');
    const owner: JsonObject = { apiVersion: 'v1', kind: 'Node', name: 'one', uid, controller: true };
    const metadata = { annotations, ownerReferences: [owner] };
    const mirrorOf = (spec: JsonObject, more: JsonObject = {}) =>
      pod('static', { metadata: { ...metadata, ...more }, spec: { nodeName: 'one', ...spec } });
    const owned = (...ownerReferences: JsonObject[]) => mirrorOf({}, { ownerReferences });
    const container = (more: JsonObject) => ({ containers: [{ name: 'c', image: 'i', ...more }] });
    for (const [wrong, says] of [
      [mirrorOf({}, { annotations: {} }), 'can only create mirror pods'],
      [mirrorOf({ nodeName: 'two' }), 'spec.nodeName set to itself'],
      [mirrorOf({ serviceAccountName: 'robot' }), 'spec.serviceAccountName'],
      [mirrorOf({ volumes: [{ name: 'v', secret: { secretName: 'hidden' } }] }), 'spec.volumes[0].secret'],
      [mirrorOf(container({ envFrom: [{ secretRef: { name: 'hidden' } }] })), 'spec.containers[0].envFrom[0]'],
      [
        mirrorOf(container({ env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'hidden', key: 'k' } } }] })),
        'spec.containers[0].env[0].valueFrom',
      ],
      [owned(), 'an owner reference set to itself'],
      [owned({ ...owner, name: 'two' }), 'an owner reference set to itself'],
      [owned(owner, { ...owner, uid: 'other' }), 'a single owner reference'],
      [owned({ ...owner, controller: false }), 'a controller owner reference'],
      [owned({ ...owner, blockOwnerDeletion: true }), 'must not set blockOwnerDeletion'],
      [owned({ ...owner, uid: 'other' }), 'UID mismatch'],
    ] as const) {
      const answer = await as('one', 'POST', PODS, wrong);
      assert.equal(answer.status, 403, answer.text);
      assert.ok(textAt(answer.body, 'message').includes(says), answer.text);
    }
    const mirror = mirrorOf({});
    assert.equal((await as('one', 'POST', PODS, mirror)).status, 201);
    for (const [method, path] of [
      ['DELETE', `${PODS}/static?gracePeriodSeconds=0`],
      ['POST', `${PODS}/static/eviction`],
    ] as const)
      assert.equal((await as('two', method, path, { metadata: { name: 'static' } })).status, 403, path);
    assert.equal((await as('one', 'DELETE', `${PODS}/static?gracePeriodSeconds=0`)).status, 200);
    assert.equal((await as('one', 'DELETE', PODS)).status, 403);
  });

  it('gets tokens for its pods only, of their account', async () => {
    const path = `${CORE}/serviceaccounts/robot/token`;
    const bound = (name: string, uid: string): JsonObject => ({
      spec: { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid } },
    });
    assert.equal((await as('one', 'POST', path, bound('mine', podUid))).status, 201);
    for (const [who, body, other] of [
      ['two', bound('mine', podUid), path],
      ['one', {}, path],
      ['one', bound('mine', 'other'), path],
      ['one', bound('other', podUid), path],
      ['one', bound('mine', podUid), `${CORE}/serviceaccounts/default/token`],
    ] as const)
      assert.equal((await as(who, 'POST', other, objectAt({ body }, 'body'))).status, 403, JSON.stringify(body));
  });

  it('keeps its lease and its CSINode, and those of no other node', async () => {
    const lease = (name: string): JsonObject => ({
      metadata: { name },
      spec: { holderIdentity: name, leaseDurationSeconds: 40 },
    });
    assert.equal((await as('one', 'POST', LEASES, lease('one'))).status, 201);
    assert.equal(
      (await as('one', 'PATCH', `${LEASES}/one`, { spec: { leaseDurationSeconds: 50 } }, MERGE)).status,
      200,
    );
    assert.equal(
      (await as('two', 'PATCH', `${LEASES}/one`, { spec: { leaseDurationSeconds: 60 } }, MERGE)).status,
      403,
    );
    assert.equal((await as('one', 'POST', LEASES, lease('two'))).status, 403);
    assert.equal((await as('one', 'POST', LEASES.replace('kube-node-lease', 'default'), lease('one'))).status, 403);
    assert.equal((await as('one', 'POST', CSI_NODES, { metadata: { name: 'one' } })).status, 201);
    assert.equal((await as('two', 'DELETE', `${CSI_NODES}/one`)).status, 403);
  });

  it('reads the network and keeps addresses; pools and policies are for others to write', async () => {
    for (const path of [
      NODES,
      '/api/v1/pods',
      '/api/v1/services',
      NAMESPACES,
      `${CALICO}/ippools`,
      `${CALICO}/bgppeers`,
    ])
      assert.equal((await as('one', 'GET', path)).status, 200, path);
    const affinity = { state: 'confirmed', node: 'one', cidr: '10.0.0.0/26', deleted: 'false' };
    const block = {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'BlockAffinity',
      metadata: { name: 'b' },
      spec: affinity,
    };
    assert.equal((await as('one', 'POST', `${CALICO}/blockaffinities`, block)).status, 201);
    assert.equal((await as('one', 'POST', `${CALICO}/ippools`, {})).status, 403);
    assert.equal((await as('one', 'GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles')).status, 403);
  });

  it('that says no name reads what all nodes read, and writes nothing', async () => {
    assert.equal((await as('nameless', 'GET', NODES)).status, 200);
    assert.equal((await as('nameless', 'GET', `${CORE}/secrets/env`)).status, 403);
    const refused = await as('nameless', 'PATCH', `${NODES}/one`, { metadata: { labels: { x: 'y' } } }, MERGE);
    assert.equal(refused.status, 403);
    assert.match(textAt(refused.body, 'message'), /could not determine node from user "system:nodes"/);
  });
});

describe('the role of nodes', () => {
  it('loses what an older version gave, and other roles get what is new', async () => {
    await using mine = await startServer(undefined, true);
    const path = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
    const all = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
    const extra = [{ apiGroups: ['example.com'], resources: ['x'], verbs: ['get'] }];
    const rules = async (client: typeof mine.client, name: string) =>
      (await client.ask('GET', `${path}/${name}`)).body.rules;
    const wanted = await rules(mine.client, 'system:node');
    await mine.client.ask('PATCH', `${path}/system:node`, { rules: all }, { headers: MERGE });
    await mine.client.ask('PATCH', `${path}/system:auth-delegator`, { rules: extra }, { headers: MERGE });
    await using again = await mine.restart();
    assert.deepEqual(await rules(again.client, 'system:node'), wanted);
    const delegator = JSON.stringify(await rules(again.client, 'system:auth-delegator'));
    assert.match(delegator, /example.com.*tokenreviews/);
    const off = { metadata: { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } }, rules: all };
    await again.client.ask('PATCH', `${path}/system:node`, off, { headers: MERGE });
    await using third = await again.restart();
    assert.deepEqual(await rules(third.client, 'system:node'), all, 'unless it is told to stay as it is');
  });
});
