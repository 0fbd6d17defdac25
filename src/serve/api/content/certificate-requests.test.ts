/** Certificates for people and programs: asked for, approved, signed, and taken by the server that signed them. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { describe, it } from 'node:test';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { readPkiFile } from '#serve/api/pki/files.ts';
import { readRequest } from '#serve/api/pki/requests.ts';
import { TokenIssuer } from '#serve/api/pki/tokens.ts';
import { Kubectl, missing } from '#serve/api/testing/kubectl.ts';
import { startServer, TABLE, type TestServer } from '#serve/api/testing/server.ts';
import { type JsonObject, listAt, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';

const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const SIGNER = 'kubernetes.io/kube-apiserver-client';
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

interface Asked {
  readonly pem: string;
  /** PEM */
  readonly key: string;
}

async function ask(name: string): Promise<Asked> {
  const keys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const made = await x509.Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm: EC });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { pem: made.toString('pem'), key };
}

function body(name: string, pem: string, more: JsonObject = {}): JsonObject {
  const spec = { request: Buffer.from(pem).toString('base64'), signerName: SIGNER, usages: ['client auth'], ...more };
  return { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest', metadata: { name }, spec };
}

function withAnswer(object: JsonObject, type: string): JsonObject {
  return { ...object, status: { conditions: [{ type, status: 'True', reason: 'Test', message: 'm' }] } };
}

/** The request once its signer has said something. */
async function answered(server: TestServer, name: string): Promise<JsonObject> {
  const events = await server.client.watch(`${REQUESTS}?watch=1&fieldSelector=metadata.name%3D${name}`, (all) =>
    isAnswered(all.at(-1)),
  );
  return objectAt(events.at(-1), 'object');
}

function isAnswered(event: JsonObject | undefined): boolean {
  const types = objectsAt(event, 'object', 'status', 'conditions').map((one) => one.type);
  return textAt(event, 'object', 'status', 'certificate') !== '' || types.includes('Failed');
}

/** The name by which the server knows who has this certificate. */
async function whoAmI(server: TestServer, certificate: string, key: string): Promise<JsonObject> {
  const { promise, resolve, reject } = Promise.withResolvers<JsonObject>();
  const url = `https://127.0.0.1:${server.port}/apis/authentication.k8s.io/v1/selfsubjectreviews`;
  const options = {
    method: 'POST',
    cert: certificate,
    key,
    ca: readPkiFile(server.dataDir, 'ca.crt'),
    headers: { 'Content-Type': 'application/json' },
  };
  const call = request(url, options, (answer) => {
    answer.toArray().then((chunks) => resolve(JSON.parse(Buffer.concat(chunks).toString())), reject);
  });
  call.on('error', reject).end('{}');
  return objectAt(await promise, 'status', 'userInfo');
}

describe('a certificate', () => {
  it('is made when its request is approved, and says who somebody is', async () => {
    await using server = await startServer();
    const { client } = server;
    const { pem, key } = await ask('CN=ann, O=devs');
    const made = await client.ask('POST', REQUESTS, body('ann', pem, { expirationSeconds: 3600, username: 'liar' }));
    assert.equal(made.status, 201, made.text);
    assert.equal(textAt(made.body, 'spec', 'username'), 'kubernetes-admin', 'the server says who asks');
    const cells = async () =>
      listAt(objectsAt((await client.ask('GET', REQUESTS, undefined, { headers: TABLE })).body, 'rows')[0], 'cells');
    assert.deepEqual((await cells()).slice(2), [SIGNER, 'kubernetes-admin', '60m', 'Pending']);
    const approved = await client.ask('PUT', `${REQUESTS}/ann/approval`, withAnswer(made.body, 'Approved'));
    assert.equal(approved.status, 200, approved.text);
    const certificate = Buffer.from(
      textAt(await answered(server, 'ann'), 'status', 'certificate'),
      'base64',
    ).toString();
    assert.equal((await cells()).at(-1), 'Approved,Issued');
    const read = new X509Certificate(certificate);
    assert.ok(read.verify(new X509Certificate(readPkiFile(server.dataDir, 'ca.crt')).publicKey));
    assert.ok(Date.parse(read.validTo) <= Date.now() + 3_600_000);
    assert.deepEqual(await whoAmI(server, certificate, key), {
      username: 'ann',
      groups: ['devs', 'system:authenticated'],
    });
  });

  it('is not made when the request is denied, asks for too much, or is none', async () => {
    await using server = await startServer();
    const { client } = server;
    const { pem } = await ask('CN=eve, O=system:masters');
    for (const [name, more, says] of [
      ['masters', {}, /system:masters group is not allowed/],
      ['server', { usages: ['server auth'] }, /usage "server auth" is not one of/],
      [
        'broken',
        { request: Buffer.from(pem.replace(/\n[A-Za-z0-9+/]{8}/, '\nAAAAAAAA')).toString('base64') },
        /the request/,
      ],
    ] as const) {
      const { body: made } = await client.ask(
        'POST',
        REQUESTS,
        body(name, pem, { ...more, usages: [...('usages' in more ? more.usages : ['client auth'])] }),
      );
      assert.equal((await client.ask('PUT', `${REQUESTS}/${name}/approval`, withAnswer(made, 'Approved'))).status, 200);
      const failed = objectsAt(await answered(server, name), 'status', 'conditions').find(
        (one) => one.type === 'Failed',
      );
      assert.match(textAt(failed, 'message'), says);
    }
    const { body: denied } = await client.ask('POST', REQUESTS, body('denied', pem));
    await client.ask('PUT', `${REQUESTS}/denied/approval`, withAnswer(denied, 'Denied'));
    const { body: now } = await client.ask('GET', `${REQUESTS}/denied`);
    assert.equal(textAt(now, 'status', 'certificate'), '');
    const both = await client.ask('PUT', `${REQUESTS}/denied/approval`, withAnswer(now, 'Approved'));
    assert.equal(both.status, 422, 'an answer is not taken back');
  });

  it('is asked for in the form that Kubernetes has', async () => {
    await using server = await startServer();
    const { pem } = await ask('CN=ann');
    const fields = async (more: JsonObject) => {
      const { status, body: answer } = await server.client.ask('POST', REQUESTS, body('x', pem, more));
      assert.equal(status, 422);
      return objectsAt(answer, 'details', 'causes').map((one) => textAt(one, 'field'));
    };
    assert.deepEqual(await fields({ request: Buffer.from('x').toString('base64') }), ['spec.request']);
    assert.deepEqual(await fields({ signerName: 'nobody' }), ['spec.signerName']);
    assert.deepEqual(await fields({ expirationSeconds: 5 }), ['spec.expirationSeconds']);
    assert.deepEqual(await fields({ usages: [] }), ['spec.usages']);
    assert.deepEqual(await fields({ usages: ['client auth', 'flying'] }), ['spec.usages[1]']);
  });

  it('is approved only by who may approve for its signer', async () => {
    await using server = await startServer();
    const { pem } = await ask('CN=ann');
    const { body: made } = await server.client.ask('POST', REQUESTS, body('ann', pem));
    const RBAC = '/apis/rbac.authorization.k8s.io/v1';
    const rules: JsonObject[] = [
      { apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests/approval'], verbs: ['update'] },
    ];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'approver' };
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'bob' }];
    await server.client.ask('POST', `${RBAC}/clusterroles`, { metadata: { name: 'approver' }, rules });
    await server.client.ask('POST', `${RBAC}/clusterrolebindings`, {
      metadata: { name: 'approver' },
      roleRef,
      subjects,
    });
    const token = new TokenIssuer(server.dataDir).issue({ name: 'bob', groups: [] }, Date.now());
    const approve = () => server.client.ask('PUT', `${REQUESTS}/ann/approval`, withAnswer(made, 'Approved'), { token });
    assert.equal((await approve()).status, 403);
    rules.push({
      apiGroups: ['certificates.k8s.io'],
      resources: ['signers'],
      resourceNames: ['kubernetes.io/*'],
      verbs: ['approve'],
    });
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    await server.client.ask('PATCH', `${RBAC}/clusterroles/approver`, { rules }, { headers });
    assert.equal((await approve()).status, 200);
  });
});

describe('kubectl certificate', { skip: missing }, () => {
  it('approves and denies', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    for (const [name, verb, shown] of [
      ['ann', 'approve', 'Approved,Issued'],
      ['eve', 'deny', 'Denied'],
    ] as const) {
      const { pem } = await ask(`CN=${name}`);
      await kubectl.run('apply -f -', JSON.stringify(body(name, pem)));
      const done = verb === 'deny' ? 'denied' : 'approved';
      assert.match(await kubectl.run(`certificate ${verb} ${name}`), new RegExp(`/${name} ${done}\n$`));
      if (verb === 'approve') await answered(server, name);
      assert.match(await kubectl.run(`get csr ${name}`), new RegExp(`${shown}\n$`));
    }
  });
});

describe('readRequest', () => {
  it('says of any text what is wrong with it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => assert.equal(typeof (await readRequest(text)), 'string')),
      { numRuns: 50 },
    );
  });
});
