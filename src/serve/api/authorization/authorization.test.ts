import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { type Rule, ruleAllows, ruleText, uncovered } from '#serve/api/authorization/rules.ts';
import { TokenIssuer } from '#serve/api/pki/tokens.ts';
import { CONFIG_MAPS, configMap, PODS, pod, startServer, type TestServer } from '#serve/api/testing/server.ts';
import { at, type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
let server: TestServer;
let tokens: TokenIssuer;

before(async () => {
  server = await startServer();
  tokens = new TokenIssuer(server.dataDir);
});
after(() => server[Symbol.asyncDispose]());

function tokenOf(name: string, ...groups: string[]): string {
  return tokens.issue({ name, groups: [...groups, 'system:authenticated'] }, Date.now());
}

async function ask(token: string, method: string, path: string, body?: JsonObject) {
  return await server.client.ask(method, path, body, { token });
}

async function give(path: string, body: JsonObject): Promise<void> {
  const answer = await server.client.ask('POST', path, body);
  assert.equal(answer.status, 201, answer.text);
}

function role(name: string, rules: JsonObject[], kind = 'Role'): JsonObject {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata: { name }, rules };
}

function binding(name: string, roleRef: JsonObject, subjects: JsonObject[], kind = 'RoleBinding'): JsonObject {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata: { name }, roleRef, subjects };
}

const READ_PODS = { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list'] };

test('who has no role may look at what is served and ask about himself, and no more', async () => {
  const nobody = tokenOf('nobody');
  for (const path of ['/api', '/apis', '/version', '/openapi/v3', '/api/v1'])
    assert.equal((await ask(nobody, 'GET', path)).status, 200, path);
  for (const [method, path, message] of [
    [
      'GET',
      PODS,
      'pods is forbidden: User "nobody" cannot list resource "pods" in API group "" in the namespace "default"',
    ],
    [
      'GET',
      `${PODS}?watch=1`,
      'pods is forbidden: User "nobody" cannot watch resource "pods" in API group "" in the namespace "default"',
    ],
    [
      'GET',
      `${PODS}/x/log`,
      'pods "x" is forbidden: User "nobody" cannot get resource "pods/log" in API group "" in the namespace "default"',
    ],
    [
      'DELETE',
      '/api/v1/nodes/n',
      'nodes "n" is forbidden: User "nobody" cannot delete resource "nodes" in API group "" at the cluster scope',
    ],
    [
      'GET',
      '/apis/apps/v1/deployments',
      'deployments.apps is forbidden: User "nobody" cannot list resource "deployments" in API group "apps" at the cluster scope',
    ],
    ['GET', '/metrics', 'forbidden: User "nobody" cannot get path "/metrics"'],
  ] as const) {
    const answer = await ask(nobody, method, path);
    assert.deepEqual([answer.status, answer.body.reason, answer.body.message], [403, 'Forbidden', message]);
  }
  const details = (await ask(nobody, 'GET', `${PODS}/x`)).body.details;
  assert.deepEqual(details, { name: 'x', kind: 'pods' });
});

test('a Role holds in its namespace, from the moment that it is bound until it is not', async () => {
  const jane = tokenOf('jane');
  await give(`${RBAC}/namespaces/default/roles`, role('pod-reader', [READ_PODS]));
  const path = `${RBAC}/namespaces/default/rolebindings`;
  const subject = { kind: 'User', name: 'jane', apiGroup: 'rbac.authorization.k8s.io' };
  await give(path, binding('read-pods', { kind: 'Role', name: 'pod-reader' }, [subject]));
  assert.equal((await ask(jane, 'GET', PODS)).status, 200);
  assert.equal((await ask(jane, 'GET', '/api/v1/pods')).status, 403);
  assert.equal((await ask(jane, 'GET', '/api/v1/namespaces/kube-system/pods')).status, 403);
  assert.equal((await ask(jane, 'POST', PODS, pod('x'))).status, 403);
  assert.equal((await server.client.ask('DELETE', `${path}/read-pods`)).status, 200);
  assert.equal((await ask(jane, 'GET', PODS)).status, 403);
});

test('a ClusterRole bound in a namespace holds there, bound in the cluster everywhere; groups and accounts are subjects', async () => {
  const dev = tokenOf('joe', 'developers');
  const roleRef = { kind: 'ClusterRole', name: 'view' };
  const group = { kind: 'Group', name: 'developers', apiGroup: 'rbac.authorization.k8s.io' };
  await give(`${RBAC}/namespaces/default/rolebindings`, binding('dev-view', roleRef, [group]));
  assert.equal((await ask(dev, 'GET', PODS)).status, 200);
  assert.equal((await ask(dev, 'GET', '/api/v1/namespaces/default')).status, 200);
  assert.equal((await ask(dev, 'GET', '/api/v1/namespaces/default/secrets')).status, 403);
  const account = tokenOf('system:serviceaccount:default:robot', 'system:serviceaccounts');
  const subject = { kind: 'ServiceAccount', name: 'robot', namespace: 'default' };
  await give(
    `${RBAC}/clusterrolebindings`,
    binding('robot-edit', { ...roleRef, name: 'edit' }, [subject], 'ClusterRoleBinding'),
  );
  assert.equal(
    (await ask(account, 'POST', '/api/v1/namespaces/kube-system/configmaps', configMap('c', {}))).status,
    201,
  );
  assert.equal((await ask(account, 'GET', `${RBAC}/roles`)).status, 403);
});

test('resourceNames, subresources and stars', () => {
  const rule = (one: Partial<Rule>): Rule => ({
    verbs: ['get'],
    apiGroups: [''],
    resources: [],
    resourceNames: [],
    nonResourceURLs: [],
    ...one,
  });
  const wanted = (text: string, name = '') => {
    const [resource = '', subresource = ''] = text.split('/');
    return { kind: 'resource', verb: 'get', group: '', resource, subresource, namespace: '', name } as const;
  };
  assert.ok(ruleAllows(rule({ resources: ['*'] }), wanted('pods/log')));
  assert.ok(ruleAllows(rule({ resources: ['*/scale'] }), wanted('pods/scale')));
  assert.ok(!ruleAllows(rule({ resources: ['pods'] }), wanted('pods/log')));
  assert.ok(!ruleAllows(rule({ resources: ['pods'], apiGroups: ['apps'] }), wanted('pods')));
  assert.ok(ruleAllows(rule({ resources: ['pods'], resourceNames: ['a'] }), wanted('pods', 'a')));
  assert.ok(!ruleAllows(rule({ resources: ['pods'], resourceNames: ['a'] }), wanted('pods')));
  const path = (url: string) => rule({ nonResourceURLs: [url] });
  assert.ok(ruleAllows(path('/apis/*'), { kind: 'path', verb: 'get', path: '/apis/apps' }));
  assert.ok(!ruleAllows(path('/apis'), { kind: 'path', verb: 'get', path: '/apis/apps' }));
  assert.equal(
    ruleText(rule({ resources: ['pods', 'nodes'] })),
    '{APIGroups:[""], Resources:["pods", "nodes"], Verbs:["get"]}',
  );
});

test('what some rules allow, others that leave nothing uncovered allow too', () => {
  const words = (...list: string[]) => fc.uniqueArray(fc.constantFrom(...list), { minLength: 1, maxLength: 2 });
  const rules = fc.array(
    fc.record({
      verbs: words('get', 'list', '*'),
      apiGroups: words('', 'apps', '*'),
      resources: words('pods', 'pods/log', '*/log', '*'),
      resourceNames: fc.uniqueArray(fc.constantFrom('a', 'b'), { maxLength: 2 }),
      nonResourceURLs: fc.constant([] as string[]),
    }),
    { maxLength: 3 },
  );
  const wanted = fc.record({
    kind: fc.constant('resource' as const),
    verb: fc.constantFrom('get', 'list', 'watch'),
    group: fc.constantFrom('', 'apps', 'batch'),
    resource: fc.constantFrom('pods', 'jobs'),
    subresource: fc.constantFrom('', 'log'),
    namespace: fc.constant(''),
    name: fc.constantFrom('', 'a', 'c'),
  });
  fc.assert(
    fc.property(rules, rules, wanted, (held, asked, one) => {
      if (uncovered(held, asked).length > 0) return;
      if (asked.some((rule) => ruleAllows(rule, one))) assert.ok(held.some((rule) => ruleAllows(rule, one)));
    }),
    { numRuns: 2000 },
  );
});

test('nobody gives away more than he has, unless he may escalate or bind', async () => {
  const admin = tokenOf('boss');
  const user = { kind: 'User', name: 'boss', apiGroup: 'rbac.authorization.k8s.io' };
  const roles = `${RBAC}/namespaces/default/roles`;
  await give(
    `${RBAC}/namespaces/default/rolebindings`,
    binding('boss', { kind: 'ClusterRole', name: 'admin' }, [user]),
  );
  assert.equal((await ask(admin, 'POST', roles, role('fine', [READ_PODS]))).status, 201);
  const nodes = { apiGroups: [''], resources: ['nodes'], verbs: ['get'] };
  const refused = await ask(admin, 'POST', roles, role('too-much', [READ_PODS, nodes]));
  assert.equal(refused.status, 403);
  assert.equal(
    refused.body.message,
    'roles.rbac.authorization.k8s.io "too-much" is forbidden: user "boss" (groups=["system:authenticated"]) is attempting to grant ' +
      'RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}',
  );
  const bind = binding('all', { kind: 'ClusterRole', name: 'cluster-admin' }, [user]);
  assert.equal((await ask(admin, 'POST', `${RBAC}/namespaces/default/rolebindings`, bind)).status, 403);
  const patch = { headers: { 'Content-Type': 'application/merge-patch+json' }, token: admin };
  assert.equal((await server.client.ask('PATCH', `${roles}/fine`, { rules: [nodes] }, patch)).status, 403);
  assert.equal(
    (await server.client.ask('PATCH', `${roles}/fine`, { metadata: { labels: { a: 'b' } } }, patch)).status,
    200,
  );
  const may = { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['escalate', 'create'] };
  await give(roles, role('escalator', [may]));
  await give(`${RBAC}/namespaces/default/rolebindings`, binding('esc', { kind: 'Role', name: 'escalator' }, [user]));
  assert.equal((await ask(admin, 'POST', roles, role('too-much', [nodes]))).status, 201);
});

test('no kind of patch gives away more than its sender has, on what is there or what it would make', async () => {
  const token = tokenOf('chief');
  const user = { kind: 'User', name: 'chief', apiGroup: 'rbac.authorization.k8s.io' };
  const roles = `${RBAC}/namespaces/default/roles`;
  await give(
    `${RBAC}/namespaces/default/rolebindings`,
    binding('chief', { kind: 'ClusterRole', name: 'admin' }, [user]),
  );
  await give(roles, role('plain', [READ_PODS]));
  const rules = [{ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }];
  const applied = (name: string) => role(name, rules);
  const send = (type: string, name: string, body: JsonObject | JsonObject[], query = '') =>
    server.client.ask('PATCH', `${roles}/${name}${query}`, body, { headers: { 'Content-Type': type }, token });
  const apply = '?fieldManager=test&force=true';
  for (const answer of [
    await send('application/json-patch+json', 'plain', [{ op: 'replace', path: '/rules', value: rules }]),
    await send('application/merge-patch+json', 'plain', { rules }),
    await send('application/strategic-merge-patch+json', 'plain', { rules }),
    await send('application/apply-patch+yaml', 'plain', applied('plain'), apply),
    await send('application/apply-patch+yaml', 'fresh', applied('fresh'), apply),
  ]) {
    assert.equal(answer.status, 403, answer.text);
    assert.match(answer.text, /attempting to grant RBAC permissions not currently held/);
  }
  assert.deepEqual(objectsAt((await server.client.ask('GET', `${roles}/plain`)).body, 'rules'), [READ_PODS]);
  assert.equal((await server.client.ask('GET', `${roles}/fresh`)).status, 404);
  const own = await send('application/apply-patch+yaml', 'own', role('own', [READ_PODS]), apply);
  assert.equal(own.status, 201, own.text);
  for (const query of [apply, '?fieldManager=test'])
    assert.equal((await send('application/apply-patch+yaml', 'own', applied('own'), query)).status, 403);
  assert.deepEqual(objectsAt((await server.client.ask('GET', `${roles}/own`)).body, 'rules'), [READ_PODS]);
});

test('reviews answer for oneself and for others', async () => {
  const path = '/apis/authorization.k8s.io/v1';
  const attributes = { resourceAttributes: { verb: 'list', resource: 'pods', namespace: 'default' } };
  const self = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: attributes };
  const nobody = tokenOf('nobody');
  assert.equal(
    at((await ask(nobody, 'POST', `${path}/selfsubjectaccessreviews`, self)).body, 'status', 'allowed'),
    false,
  );
  assert.equal(
    at((await server.client.ask('POST', `${path}/selfsubjectaccessreviews`, self)).body, 'status', 'allowed'),
    true,
  );
  const other = { ...self, kind: 'SubjectAccessReview', spec: { ...attributes, user: 'x', groups: ['developers'] } };
  const allowed = await server.client.ask('POST', `${path}/subjectaccessreviews`, other);
  assert.equal(at(allowed.body, 'status', 'allowed'), true, allowed.text);
  assert.equal((await ask(nobody, 'POST', `${path}/subjectaccessreviews`, other)).status, 403);
  const local = { ...other, kind: 'LocalSubjectAccessReview' };
  const at2 = await server.client.ask('POST', `${path}/namespaces/default/localsubjectaccessreviews`, local);
  assert.equal(at(at2.body, 'status', 'allowed'), true, at2.text);
  const both = { ...self, spec: { ...attributes, nonResourceAttributes: { path: '/', verb: 'get' } } };
  assert.equal((await ask(nobody, 'POST', `${path}/selfsubjectaccessreviews`, both)).status, 400);
  const rules = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectRulesReview',
    spec: { namespace: 'default' },
  };
  const said = await ask(nobody, 'POST', `${path}/selfsubjectrulesreviews`, rules);
  assert.ok(objectsAt(said.body, 'status', 'nonResourceRules').length > 0, said.text);
});

test('the administrator speaks for others; others only where they may', async () => {
  const as = (name: string, token?: string) => ({
    headers: { 'Impersonate-User': name, 'Impersonate-Group': 'system:masters' },
    ...(token === undefined ? {} : { token }),
  });
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const said = await server.client.ask('POST', path, review, as('jane'));
  assert.deepEqual(at(said.body, 'status', 'userInfo'), {
    username: 'jane',
    groups: ['system:masters', 'system:authenticated'],
  });
  const account = { headers: { 'Impersonate-User': 'system:serviceaccount:kube-system:default' } };
  assert.equal((await server.client.ask('GET', PODS, undefined, account)).status, 403);
  const refused = await server.client.ask('GET', PODS, undefined, as('jane', tokenOf('nobody')));
  assert.equal(
    refused.body.message,
    'users "jane" is forbidden: User "nobody" cannot impersonate resource "users" in API group "" at the cluster scope',
  );
});

const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';

async function requestToken(account: string, spec: JsonObject = {}) {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
  return await server.client.ask('POST', `${ACCOUNTS}/${account}/token`, body);
}

const WHO = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
const REVIEW = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };

test('a ServiceAccount’s token is its, until it, or the pod that it is bound to, is gone', async () => {
  await give(ACCOUNTS, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'app' } });
  const answer = await requestToken('app');
  const token = textAt(answer.body, 'status', 'token');
  const who = await ask(token, 'POST', WHO, REVIEW);
  assert.deepEqual(at(who.body, 'status', 'userInfo'), {
    username: 'system:serviceaccount:default:app',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  });
  const made = await server.client.ask('POST', PODS, pod('bound', { spec: { serviceAccountName: 'app' } }));
  const uid = textAt(made.body, 'metadata', 'uid');
  const reference = { kind: 'Pod', apiVersion: 'v1', name: 'bound', uid };
  const bound = textAt((await requestToken('app', { boundObjectRef: reference })).body, 'status', 'token');
  assert.equal((await ask(bound, 'POST', WHO, REVIEW)).status, 201);
  const wrong = await requestToken('app', { boundObjectRef: { ...reference, uid: 'other' } });
  assert.equal(wrong.status, 409);
  await server.client.ask('DELETE', `${PODS}/bound`);
  assert.equal((await ask(bound, 'POST', WHO, REVIEW)).status, 401);
  assert.equal((await ask(token, 'POST', WHO, REVIEW)).status, 201);
  await server.client.ask('DELETE', `${ACCOUNTS}/app`);
  assert.equal((await ask(token, 'POST', WHO, REVIEW)).status, 401);
});

test('a token for other ears is none here; TokenReview says whose one is', async () => {
  await give(ACCOUNTS, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ears' } });
  const token = textAt((await requestToken('ears', { audiences: ['vault'] })).body, 'status', 'token');
  assert.equal((await ask(token, 'GET', CONFIG_MAPS)).status, 401);
  const good = textAt((await requestToken('ears')).body, 'status', 'token');
  const review = (one: string) => ({
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token: one },
  });
  const path = '/apis/authentication.k8s.io/v1/tokenreviews';
  const said = await server.client.ask('POST', path, review(good));
  assert.equal(at(said.body, 'status', 'authenticated'), true);
  assert.equal(textAt(said.body, 'status', 'user', 'username'), 'system:serviceaccount:default:ears');
  assert.equal(at((await server.client.ask('POST', path, review('x.y.z'))).body, 'status', 'authenticated'), undefined);
});
