import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManifestError, readStaticPod } from '#lab/kubelet/mirror/manifest.ts';
import { isStaticUid, mirrorOf } from '#lab/kubelet/mirror/static-pod.ts';

const PLACE = { node: 'node1', path: '/m/web.yaml', seen: '2026-01-02T03:04:05Z' };
const WEB = `apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {role: myrole}
spec:
  containers:
  - name: web
    image: nginx
    ports: [{name: web, containerPort: 80}]
`;

describe('readStaticPod', () => {
  it('names the pod for its node, completes it, and lets it stay there', () => {
    const { metadata, spec } = readStaticPod(WEB, PLACE);
    assert.deepEqual(
      [metadata.namespace, metadata.name, metadata.labels],
      ['default', 'web-node1', { role: 'myrole' }],
    );
    assert.deepEqual(metadata.annotations, {
      'kubernetes.io/config.hash': metadata.uid,
      'kubernetes.io/config.seen': PLACE.seen,
      'kubernetes.io/config.source': 'file',
    });
    assert.ok(isStaticUid(metadata.uid));
    assert.deepEqual([spec.nodeName, spec.restartPolicy], ['node1', 'Always']);
    assert.deepEqual(spec.tolerations, [{ operator: 'Exists', effect: 'NoExecute' }]);
    assert.equal(spec.containers[0]?.imagePullPolicy, 'Always');
  });

  it('gives the same uid for the same text, and another for another text, file or node', () => {
    const uid = (text: string, place = PLACE) => readStaticPod(text, place).metadata.uid;
    assert.equal(uid(WEB), uid(WEB, { ...PLACE, seen: '2030-01-01T00:00:00Z' }));
    const others = [
      uid(WEB.replace('nginx', 'busybox')),
      uid(WEB, { ...PLACE, path: '/m/b' }),
      uid(WEB, { ...PLACE, node: 'b' }),
    ];
    assert.equal(new Set([uid(WEB), ...others]).size, 4);
  });

  it('takes JSON, and a namespace', () => {
    const json = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', namespace: 'dev' },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    };
    assert.equal(readStaticPod(JSON.stringify(json), PLACE).metadata.namespace, 'dev');
  });

  const spec = (text: string) => WEB.replace('spec:\n', `spec:\n${text}`);
  const WRONG: readonly (readonly [string, string, RegExp])[] = [
    ['nothing', '', /it is empty/],
    ['no YAML', 'a: [', /at line 1/],
    ['another kind', 'apiVersion: apps/v1\nkind: Deployment\n', /it is no Pod of apiVersion v1/],
    ['two pods', `${WEB}---\n${WEB}`, /several documents/],
    ['an unknown field', spec('  hostNet: true\n'), /unknown field "spec.hostNet"/],
    ['a value of the wrong shape', spec('  hostNetwork: 5\n'), /cannot unmarshal number into Go struct field/],
    ['no name', WEB.replace('  name: web\n', ''), /metadata.name is missing/],
    ['a name that is none', WEB.replace('name: web\n', 'name: Web_1\n'), /metadata.name: Invalid value: "Web_1-node1"/],
    ['no containers', 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\n', /spec.containers: Required value/],
    [
      'a Secret',
      spec('  volumes: [{name: s, secret: {secretName: s}}]\n'),
      /spec.volumes\[0\].secret: a static pod cannot/,
    ],
    ['an account', spec('  serviceAccountName: robot\n'), /spec.serviceAccountName: a static pod cannot/],
    [
      'the mirror of another',
      WEB.replace('metadata:\n', 'metadata:\n  annotations: {kubernetes.io/config.mirror: x}\n'),
      /config.mirror\]: it is the kubelet's own/,
    ],
  ];
  for (const [what, text, says] of WRONG)
    it(`says what is wrong with ${what}`, () => {
      assert.throws(
        () => readStaticPod(text, PLACE),
        (error) => {
          assert.ok(error instanceof ManifestError);
          assert.match(error.message, says);
          return true;
        },
      );
    });
});

describe('mirrorOf', () => {
  it("carries the pod's hash, and goes with the Node", () => {
    const pod = readStaticPod(WEB, PLACE);
    const mirror = mirrorOf(pod, { name: 'node1', uid: 'u' });
    assert.equal(mirror.metadata.annotations?.['kubernetes.io/config.mirror'], pod.metadata.uid);
    assert.deepEqual(mirror.metadata.ownerReferences, [
      { apiVersion: 'v1', kind: 'Node', name: 'node1', uid: 'u', controller: true },
    ]);
    assert.deepEqual(mirror.spec, pod.spec);
  });
});
