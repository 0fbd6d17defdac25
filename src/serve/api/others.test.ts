/** Definitions of others, installed and used with kubectl: Gateway API, network-policy-api, Calico, Multus. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Kubectl, minor, missing } from '#serve/api/testing/kubectl.ts';
import { startServer, type TestServer } from '#serve/api/testing/server.ts';
import type { JsonObject } from '#spec/kinds/json.ts';

const STATUS = { headers: { 'Content-Type': 'application/merge-patch+json' } };

/** kubectl on a server that has the definitions of a file of `testing/definitions`. */
async function install(server: TestServer, file: string): Promise<Kubectl> {
  const kubectl = new Kubectl(server);
  const text = readFileSync(join(import.meta.dirname, 'testing/definitions', `${file}.yaml`), 'utf8');
  assert.match(await kubectl.run('apply -f -', text), /created\n$/);
  await kubectl.run('wait --for=condition=Established crd --all --timeout=30s');
  return kubectl;
}

function gateway(spec: JsonObject): string {
  return JSON.stringify({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'g' },
    spec: { gatewayClassName: 'lab', ...spec },
  });
}

describe('definitions of others', { skip: missing, timeout: 120_000 }, () => {
  it("Gateway API's: defaults, rules in CEL, columns, status, two versions", async () => {
    await using server = await startServer();
    const kubectl = await install(server, 'gateway-api');
    const http = { name: 'http', port: 80, protocol: 'HTTP', allowedRoutes: {} };
    for (const [listeners, says] of [
      [
        [{ ...http, tls: { mode: 'Passthrough' } }],
        /spec.listeners: Invalid value: "array": tls must not be specified/,
      ],
      [[http, { ...http, name: 'other' }], /Combination of port, protocol and hostname must be unique/],
      [[http, http], /spec.listeners\[1\]: Duplicate value/],
      [[{ ...http, protocol: 'HTTPS', tls: {} }], /spec.listeners\[0\].tls: Invalid value: "object": /],
      [[{ ...http, port: 0 }], /spec.listeners\[0\].port: Invalid value: 0: .*greater than or equal to 1/],
      [[], /spec.listeners: Invalid value: 0: .*at least 1 items/],
    ] as const) {
      const refused = await kubectl.try('apply --validate=false -f -', gateway({ listeners: [...listeners] }));
      assert.match(refused.err, says);
    }
    assert.equal(
      await kubectl.run('apply -f -', gateway({ listeners: [http] })),
      'gateway.gateway.networking.k8s.io/g created\n',
    );
    const of = (path: string) => kubectl.run(`get gateway g -o jsonpath={${path}}`);
    assert.equal(await of('.spec.listeners[0].allowedRoutes.namespaces.from'), 'Same');
    const path = '/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/g';
    const condition = {
      type: 'Programmed',
      status: 'True',
      reason: 'Yes',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    const status = { addresses: [{ type: 'IPAddress', value: '10.0.0.1' }], conditions: [condition] };
    const { reason: _, ...without } = condition;
    const wrong = await server.client.ask('PATCH', `${path}/status`, { status: { conditions: [without] } }, STATUS);
    assert.equal(wrong.status, 422, 'the status has a schema too');
    assert.equal((await server.client.ask('PATCH', `${path}/status`, { status }, STATUS)).status, 200);
    assert.match(
      await kubectl.run('get gtw'),
      /^NAME +CLASS +ADDRESS +PROGRAMMED +AGE\ng +lab +10.0.0.1 +True +\d+s\n$/,
    );
    assert.match(
      await kubectl.run('get gateways.v1beta1.gateway.networking.k8s.io g -o yaml'),
      /^apiVersion: gateway.networking.k8s.io\/v1beta1$/m,
    );
    await kubectl.run('wait --for=condition=Programmed gateway/g --timeout=30s');
    assert.match(await kubectl.run('explain gateway'), /A place where traffic comes in\./);
    const route = (rule: JsonObject) =>
      JSON.stringify({
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'HTTPRoute',
        metadata: { name: 'r' },
        spec: { hostnames: ['a.example'], parentRefs: [{ name: 'g' }], rules: [rule] },
      });
    const noPort = await kubectl.try('apply -f -', route({ backendRefs: [{ name: 's' }] }));
    assert.match(
      noPort.err,
      /spec.rules\[0\].backendRefs\[0\]: Invalid value: "object": Must have port for Service reference/,
    );
    const noSlash = await kubectl.try('apply -f -', route({ matches: [{ path: { value: 'x' } }] }));
    assert.match(noSlash.err, /spec.rules\[0\].matches\[0\].path: .*must be an absolute path/);
    await kubectl.run('apply -f -', route({ backendRefs: [{ name: 's', port: 80 }] }));
    assert.match(await kubectl.run('get httproute'), /^NAME +HOSTNAMES +AGE\nr +\["a.example"\] +\d+s\n$/);
    assert.equal(
      await kubectl.run(
        'get httproute r -o jsonpath={.spec.rules[0].matches[0].path.value}{.spec.rules[0].backendRefs[0].weight}{.spec.parentRefs[0].kind}',
      ),
      '/1Gateway',
    );
    if (minor >= 22) {
      const shared = (listener: JsonObject) => gateway({ listeners: [listener] }).replace('"g"', '"shared"');
      await kubectl.run('apply --server-side --field-manager=bob -f -', shared(http));
      await kubectl.run('apply --server-side --field-manager=ann -f -', shared({ ...http, name: 'more', port: 81 }));
      const names = await kubectl.run('get gateway shared -o jsonpath={.spec.listeners[*].name}');
      assert.equal(names, 'http more', 'listeners are told apart by their names');
    }
  });

  it("network-policy-api's: one of several, ranges, CIDRs, columns", async () => {
    await using server = await startServer();
    const kubectl = await install(server, 'network-policy-api');
    const policy = (spec: JsonObject) =>
      JSON.stringify({
        apiVersion: 'policy.networking.k8s.io/v1alpha1',
        kind: 'AdminNetworkPolicy',
        metadata: { name: 'p' },
        spec: { priority: 50, subject: { namespaces: {} }, ...spec },
      });
    const from = [{ namespaces: { matchLabels: { team: 'a' } } }];
    const rows: readonly (readonly [JsonObject, RegExp])[] = [
      [{ priority: 1001 }, /spec.priority: Invalid value: 1001/],
      [{ subject: {} }, /spec.subject: Invalid value: .*at least 1 properties/],
      [{ ingress: [{ action: 'Log', from }] }, /spec.ingress\[0\].action: Unsupported value: "Log"/],
      [
        { ingress: [{ action: 'Deny', from, ports: [{ portRange: { start: 90, end: 80 } }] }] },
        /spec.ingress\[0\].ports\[0\].portRange: Invalid value: "object": Start port must be less than End port/,
      ],
      [
        { egress: [{ networks: ['10.0.0.0/33'] }] },
        /spec.egress\[0\].networks\[0\]: Invalid value: "string": Invalid CIDR/,
      ],
    ];
    for (const [spec, says] of rows) {
      assert.match((await kubectl.try('apply --validate=false -f -', policy(spec))).err, says);
    }
    const ports = [{ portNumber: { port: 80 } }, { portRange: { start: 80, end: 90 } }];
    await kubectl.run(
      'apply -f -',
      policy({ ingress: [{ action: 'Allow', from, ports }], egress: [{ networks: ['fd00::/64'] }] }),
    );
    assert.equal(await kubectl.run('get anp p -o jsonpath={.spec.ingress[0].ports[*].*.protocol}'), 'TCP TCP');
    assert.match(await kubectl.run('get anp'), /^NAME +PRIORITY +AGE\np +50 +\d+s\n$/);
    assert.match((await kubectl.try('get anp -n default p')).out, /^NAME/);
  });

  it("Calico's and Multus': what Polder serves itself stays as it is, and takes their objects", async () => {
    await using server = await startServer();
    const kubectl = await install(server, 'calico');
    await install(server, 'multus');
    const pool = {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'IPPool',
      metadata: { name: 'a' },
      spec: { cidr: '10.1.0.0/16' },
    };
    await kubectl.run('apply -f -', JSON.stringify(pool));
    assert.equal(await kubectl.run('get ippools.projectcalico.org a -o jsonpath={.spec.blockSize}'), '26');
    const wrong = await kubectl.try('apply -f -', JSON.stringify({ ...pool, spec: { cidr: 'everything' } }));
    assert.match(wrong.err, /spec.cidr: Invalid value/);
    const node = {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'CalicoNodeStatus',
      metadata: { name: 'n' },
      spec: { classes: ['Agent'], node: 'node1', updatePeriodSeconds: 10 },
    };
    await kubectl.run('apply -f -', JSON.stringify(node));
    const attachment = {
      apiVersion: 'k8s.cni.cncf.io/v1',
      kind: 'NetworkAttachmentDefinition',
      metadata: { name: 'vlan' },
      spec: { config: '{"cniVersion":"1.0.0","type":"macvlan"}' },
    };
    await kubectl.run('apply -f -', JSON.stringify(attachment));
    assert.match(await kubectl.run('get net-attach-def'), /^NAME +AGE\nvlan +\d+s\n$/);
    assert.match(
      await kubectl.run('delete crd ippools.crd.projectcalico.org network-attachment-definitions.k8s.cni.cncf.io'),
      /deleted/,
    );
    assert.equal(await kubectl.run('get ippools.projectcalico.org a -o name'), 'ippool.projectcalico.org/a\n');
    assert.equal(await kubectl.run('get net-attach-def -o name'), 'networkattachmentdefinition.k8s.cni.cncf.io/vlan\n');
  });
});
