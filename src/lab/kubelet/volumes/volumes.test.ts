import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Layout } from '#lab/kubelet/runtime/layout.ts';
import type { PodSources } from '#lab/kubelet/sources.ts';
import { testPod } from '#lab/kubelet/testing/pods.ts';
import { writeAtomically } from '#lab/kubelet/volumes/atomic-writer.ts';
import { bindsOf, makeVolumes, memoryVolumes, VolumeError } from '#lab/kubelet/volumes/volumes.ts';

const root = mkdtempSync(join(tmpdir(), 'pt-volumes-'));
after(() => rmSync(root, { recursive: true, force: true }));
const layout = new Layout(root, root);
const facts = { podIps: [], hostIp: '', nodeName: 'node1', cpus: 1, memory: 1 };
const bytes = (data: Record<string, string>) =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value)]));
const sources: PodSources = {
  configMap: async (_, name) => (name === 'cm' ? bytes({ a: '1', b: '2' }) : undefined),
  secret: async (_, name) => (name === 's' ? bytes({ pw: 'x' }) : undefined),
  services: async () => [],
  token: async () => 'token',
};
const make = (volumes: NonNullable<ReturnType<typeof testPod>['spec']['volumes']>) =>
  makeVolumes(layout, testPod({ volumes }), sources, facts);

test('ConfigMaps, Secrets and projections become files', async () => {
  const made = await make([
    { name: 'c', configMap: { name: 'cm', items: [{ key: 'a', path: 'sub/a', mode: 0o600 }] } },
    { name: 's', secret: { secretName: 's', defaultMode: 0o400 } },
    {
      name: 'p',
      projected: {
        sources: [
          { serviceAccountToken: { path: 'token' } },
          { configMap: { name: 'cm' } },
          { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
        ],
      },
    },
  ]);
  assert.equal(readFileSync(join(made.get('c') ?? '', 'sub/a'), 'utf8'), '1');
  assert.equal(statSync(join(made.get('c') ?? '', 'sub/a')).mode & 0o777, 0o600);
  assert.equal(statSync(join(made.get('s') ?? '', 'pw')).mode & 0o777, 0o400);
  const visible = readdirSync(made.get('p') ?? '').filter((name) => !name.startsWith('..'));
  assert.deepEqual(visible.sort(), ['a', 'b', 'name', 'token']);
  assert.equal(readFileSync(join(made.get('p') ?? '', 'name'), 'utf8'), 'web');
});

test('an emptyDir can be written by anybody', async () => {
  const made = await make([{ name: 'e', emptyDir: {} }]);
  assert.equal(statSync(made.get('e') ?? '').mode & 0o777, 0o777);
});

test('what is missing, or not supported, is a VolumeError that names the volume', async () => {
  await assert.rejects(
    make([{ name: 'v', configMap: { name: 'none' } }]),
    new VolumeError('MountVolume.SetUp failed for volume "v" : configmap "none" not found'),
  );
  const nfs = { name: 'v', nfs: { server: 'x', path: '/' } };
  await assert.rejects(make([nfs]), /volumes of type nfs are not supported/);
  await assert.rejects(make([{ name: 'v', hostPath: { path: '/nowhere', type: 'Directory' } }]), /does not exist/);
});

test('a mount is bound from its volume; a subPath may not leave it', () => {
  const volumes = new Map([['v', root]]);
  assert.deepEqual(bindsOf([{ name: 'v', mountPath: '/m', readOnly: true }], volumes), [
    { source: root, target: '/m', readOnly: true },
  ]);
  assert.throws(() => bindsOf([{ name: 'v', mountPath: '/m', subPath: '../x' }], volumes), VolumeError);
  assert.throws(() => bindsOf([{ name: 'w', mountPath: '/m' }], volumes), VolumeError);
});

test('subPathExpr names what the environment has, and only that', () => {
  const volumes = new Map([['v', root]]);
  const mount = { name: 'v', mountPath: '/m', subPathExpr: 'of/$(POD)' };
  const [bind] = bindsOf([mount], volumes, new Map([['POD', 'web-0']]));
  assert.equal(bind?.source, join(root, 'of/web-0'));
  assert.throws(() => bindsOf([mount], volumes), /missing value for "POD"/);
  assert.throws(() => bindsOf([mount], volumes, new Map([['POD', '../..']])), VolumeError);
});

test('volumes in memory are named with the options of their mount', () => {
  const volumes = [
    { name: 'ram', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    { name: 'disk', emptyDir: {} },
  ];
  assert.deepEqual(memoryVolumes(testPod({ volumes })), [{ name: 'ram', options: 'mode=0777,size=1048576' }]);
  const grouped = testPod({ volumes, securityContext: { fsGroup: 7 } });
  assert.equal(memoryVolumes(grouped)[0]?.options, 'mode=2777,gid=7,size=1048576');
});

test('files change all at once, and those that are gone go', () => {
  const folder = mkdtempSync(join(root, 'aw-'));
  const payload = (data: Record<string, string>) =>
    new Map(Object.entries(data).map(([path, text]) => [path, { bytes: Buffer.from(text), mode: 0o644 }]));
  assert.equal(writeAtomically(folder, payload({ a: '1', 'd/b': '2' })), true);
  assert.equal(writeAtomically(folder, payload({ a: '1', 'd/b': '2' })), false);
  assert.equal(writeAtomically(folder, payload({ a: '3' })), true);
  assert.equal(readFileSync(join(folder, 'a'), 'utf8'), '3');
  assert.deepEqual(
    readdirSync(folder).filter((n) => !n.startsWith('..')),
    ['a'],
  );
  assert.throws(() => writeAtomically(folder, payload({ '../x': '' })), RangeError);
});
