import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { argsOf } from '#lab/kubelet/runtime/command.ts';
import { exitFrom, lowerdir } from '#lab/kubelet/runtime/container.ts';
import { ConfigError, type EnvSources, environmentOf } from '#lab/kubelet/runtime/env.ts';
import { hostsFile, resolvConf } from '#lab/kubelet/runtime/etc-files.ts';
import { expand } from '#lab/kubelet/runtime/expand.ts';
import { capabilityNames } from '#lab/kubelet/runtime/facts.ts';
import { type ContainerInput, capabilitiesOf, DEFAULT_CAPABILITIES, ociSpec } from '#lab/kubelet/runtime/oci-spec.ts';
import { testContainer, testPod } from '#lab/kubelet/testing/pods.ts';
import { parseQuantity } from '#spec/quantity.ts';

const lookup = (name: string) => ({ A: '1', B: 'two' })[name];

test('expand puts values in, keeps what it does not know, and $$ is a dollar', () => {
  assert.equal(expand('$(A)-$(B)-$(C)-$$(A)-$A-$', lookup), '1-two-$(C)-$(A)-$A-$');
  assert.equal(expand('$$$(A)', lookup), '$1');
});

test('expand leaves text without $ alone', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const plain = text.replaceAll('$', '');
      assert.equal(expand(plain, lookup), plain);
    }),
  );
});

test('command and args follow the four rules of Kubernetes', () => {
  const image = { entrypoint: ['/e'], cmd: ['c'] };
  const env = new Map([['X', 'y']]);
  assert.deepEqual(argsOf({}, image, env), ['/e', 'c']);
  assert.deepEqual(argsOf({ command: ['/p'] }, image, env), ['/p']);
  assert.deepEqual(argsOf({ args: ['a', '$(X)'] }, image, env), ['/e', 'a', 'y']);
  assert.deepEqual(argsOf({ command: ['/p'], args: ['a'] }, image, env), ['/p', 'a']);
});

const SOURCES: EnvSources = {
  configMap: (name) => (name === 'cm' ? { k: 'v', 'bad key': 'x' } : undefined),
  secret: (name) => (name === 's' ? { pw: 'secret' } : undefined),
  services: [{ metadata: { name: 'my-db' }, spec: { clusterIP: '10.96.0.9', ports: [{ name: 'sql', port: 5432 }] } }],
  facts: { podIps: ['10.244.1.5'], hostIp: '192.168.1.101', nodeName: 'node1', cpus: 2, memory: 1 << 30 },
};

test('the environment comes from image, Services, maps and entries, in this order', () => {
  const container = testContainer('c', {
    envFrom: [{ prefix: 'P_', configMapRef: { name: 'cm' } }],
    env: [
      { name: 'IMG', value: 'over-$(IMG)' },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'L', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      { name: 'PW', valueFrom: { secretKeyRef: { name: 's', key: 'pw' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      { name: 'MILLIS', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
      { name: 'GONE', valueFrom: { configMapKeyRef: { name: 'none', key: 'k', optional: true } } },
    ],
  });
  const env = environmentOf(testPod({}, { labels: { app: 'x' } }), container, { IMG: 'i' }, SOURCES);
  assert.equal(env.get('IMG'), 'over-i');
  assert.equal(env.get('P_k'), 'v');
  assert.equal(env.has('P_bad key'), false);
  assert.deepEqual(
    ['IP', 'L', 'PW', 'CPU', 'MILLIS'].map((k) => env.get(k)),
    ['10.244.1.5', 'x', 'secret', '2', '2000'],
  );
  assert.equal(env.has('GONE'), false);
  assert.equal(env.get('MY_DB_SERVICE_HOST'), '10.96.0.9');
  assert.equal(env.get('MY_DB_PORT_5432_TCP'), 'tcp://10.96.0.9:5432');
  assert.equal(env.get('HOSTNAME'), 'web');
});

test('a reference that leads nowhere is a ConfigError in the kubelet’s words', () => {
  const of = (env: Parameters<typeof testContainer>[1]) => () =>
    environmentOf(testPod(), testContainer('c', env), {}, SOURCES);
  const key = { name: 'X', valueFrom: { configMapKeyRef: { name: 'cm', key: 'nope' } } };
  assert.throws(of({ env: [key] }), new ConfigError("couldn't find key nope in ConfigMap default/cm"));
  assert.throws(of({ envFrom: [{ secretRef: { name: 'none' } }] }), new ConfigError('secret "none" not found'));
  const field = { name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.nope' } } };
  assert.throws(of({ env: [field] }), ConfigError);
});

const DNS = {
  clusterDns: '10.96.0.10',
  clusterDomain: 'cluster.local',
  nodeResolvConf: 'nameserver 9.9.9.9\nsearch lan\n',
};

test('resolv.conf of a pod leads to the cluster’s DNS', () => {
  assert.equal(
    resolvConf(testPod(), DNS),
    'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n',
  );
});

test('resolv.conf follows dnsPolicy and dnsConfig', () => {
  const dnsConfig = {
    nameservers: ['1.1.1.1'],
    searches: ['x'],
    options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
  };
  assert.equal(
    resolvConf(testPod({ dnsPolicy: 'None', dnsConfig }), DNS),
    'search x\nnameserver 1.1.1.1\noptions ndots:2 edns0\n',
  );
  assert.equal(resolvConf(testPod({ dnsPolicy: 'Default' }), DNS), 'search lan\nnameserver 9.9.9.9\n');
  assert.match(resolvConf(testPod({ hostNetwork: true }), DNS), /9\.9\.9\.9/);
  assert.match(resolvConf(testPod({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }), DNS), /10\.96\.0\.10/);
  assert.match(resolvConf(testPod({ dnsConfig }), DNS), /options ndots:2 edns0/);
});

test('hosts names the pod, its subdomain first, and its aliases', () => {
  const pod = testPod({ subdomain: 'svc', hostAliases: [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }] });
  const text = hostsFile(pod, ['10.244.1.5'], '', 'cluster.local');
  assert.match(text, /^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n/);
  assert.match(text, /\n10\.244\.1\.5\tweb\.svc\.default\.svc\.cluster\.local\tweb\n/);
  assert.match(text, /\n# Entries added by HostAliases\.\n1\.2\.3\.4\ta\tb\n$/);
});

test('quantities are read as Kubernetes writes them', () => {
  assert.deepEqual(['1', '500m', '64Mi', '1e3', '0.5', '2k'].map(parseQuantity), [1, 0.5, 67108864, 1000, 0.5, 2000]);
  for (const bad of ['', 'x', '1Q', '1 Mi', '--1']) assert.throws(() => parseQuantity(bad), SyntaxError, bad);
});

const HELD = new Set<string>([...DEFAULT_CAPABILITIES, 'CAP_NET_ADMIN']);

test('capabilities start from Docker’s set, and none is handed on that the kubelet lacks', () => {
  assert.deepEqual(capabilitiesOf({}, HELD), [...DEFAULT_CAPABILITIES]);
  assert.deepEqual(capabilitiesOf({ capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'SYS_TIME'] } }, HELD), [
    'CAP_NET_ADMIN',
  ]);
  assert.deepEqual(new Set(capabilitiesOf({ privileged: true }, HELD)), HELD);
  assert.equal(capabilityNames('0000000000003000').has('CAP_NET_ADMIN'), true);
  assert.deepEqual([...capabilityNames('2001')], ['CAP_CHOWN', 'CAP_NET_RAW']);
});

const INPUT: ContainerInput = {
  args: ['sh'],
  env: new Map([['A', '1']]),
  workingDir: '/',
  uid: 0,
  gid: 0,
  groups: [],
  tty: false,
  security: {},
  pausePid: 77,
  hostNetwork: false,
  hostPid: false,
  shareProcesses: false,
  cgroupsPath: '/polder-x/node1/podu/c',
  binds: [{ source: '/s', target: '/t', readOnly: true }],
  hidden: [{ path: '/root', mode: '700' }, { path: '/etc/shadow' }],
};

interface SpecShape {
  readonly linux: {
    readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
    readonly maskedPaths?: readonly string[];
    readonly resources: object;
  };
  readonly mounts: readonly { readonly destination: string; readonly options: readonly string[] }[];
  readonly process: Readonly<Record<string, unknown>>;
}
const specOf = (over: Partial<ContainerInput>) => ociSpec({ ...INPUT, ...over }, HELD) as SpecShape;

test('a container joins the pod’s namespaces and has PIDs and mounts of its own', () => {
  const types = (over: Partial<ContainerInput>) =>
    specOf(over)
      .linux.namespaces.map(({ type, path }) => (path ? `${type}<${path.split('/').at(-1)}` : type))
      .sort();
  assert.deepEqual(types({}), ['ipc<ipc', 'mount', 'network<net', 'pid', 'uts<uts']);
  assert.deepEqual(types({ hostNetwork: true, shareProcesses: true }), ['ipc<ipc', 'mount', 'pid<pid', 'uts<uts']);
  assert.deepEqual(types({ hostPid: true }), ['ipc<ipc', 'mount', 'network<net', 'uts<uts']);
});

test('a specification has no limits that nobody set, no rlimits and no cgroup mount', () => {
  const spec = specOf({});
  assert.deepEqual(Object.keys(spec.linux.resources), ['devices']);
  assert.equal('rlimits' in spec.process || 'oomScoreAdj' in spec.process, false);
  assert.equal(
    spec.mounts.some((m) => m.destination.startsWith('/sys/fs/cgroup')),
    false,
  );
  assert.deepEqual(specOf({ memoryLimit: 1, cpuLimit: 0.5, cpuRequest: 1 }).linux.resources, {
    devices: [{ allow: false, access: 'rwm' }],
    memory: { limit: 1 },
    cpu: { shares: 1024, quota: 50_000, period: 100_000 },
  });
});

test('what is private on the machine is hidden before the pod’s own mounts come', () => {
  const { mounts, linux } = specOf({});
  const at = (path: string) => mounts.findIndex((m) => m.destination === path);
  assert.ok(at('/root') >= 0 && at('/root') < at('/t'));
  assert.ok(linux.maskedPaths?.includes('/etc/shadow'));
  assert.deepEqual(mounts[at('/t')]?.options, ['rbind', 'rprivate', 'ro']);
});

test('names of layers are escaped for the overlay’s option', () => {
  assert.equal(lowerdir(['/a:b', '/c,d', '/e\\f', '/g']), '/a\\:b:/c\\,d:/e\\\\f:/g');
});

test('an exit file tells code, signal and time', () => {
  assert.deepEqual(exitFrom('137 9 2026-01-01T00:00:00.1Z\n', '/nowhere'), {
    code: 137,
    signal: 9,
    finishedAt: '2026-01-01T00:00:00.1Z',
    reason: 'Error',
  });
  assert.equal(exitFrom('0 0 t', '/nowhere').reason, 'Completed');
  assert.equal(exitFrom('128 0 t failed', '/nowhere').reason, 'StartError');
});
