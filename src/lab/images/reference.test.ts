import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { imageReferenceText, readImageReference } from '#lab/images/reference.ts';

const text = (name: string) => {
  const reference = readImageReference(name);
  return reference && imageReferenceText(reference);
};

test('a reference gets registry, library and tag where they are left out', () => {
  assert.equal(text('nginx'), 'docker.io/library/nginx:latest');
  assert.equal(text('nginx:1.25-alpine'), 'docker.io/library/nginx:1.25-alpine');
  assert.equal(text('docker.io/library/nginx'), 'docker.io/library/nginx:latest');
  assert.equal(text('index.docker.io/nicolaka/netshoot'), 'docker.io/nicolaka/netshoot:latest');
  assert.equal(text('registry.k8s.io/pause:3.9'), 'registry.k8s.io/pause:3.9');
  assert.equal(text('localhost:5000/a/b'), 'localhost:5000/a/b:latest');
});

test('a digest stands alone or beside a tag', () => {
  const digest = `sha256:${'0a'.repeat(32)}`;
  assert.equal(text(`nginx@${digest}`), `docker.io/library/nginx@${digest}`);
  assert.equal(text(`nginx:1@${digest}`), `docker.io/library/nginx:1@${digest}`);
});

test('what is no reference is refused', () => {
  for (const bad of ['', 'NGINX', 'a//b', 'nginx:', 'nginx@sha256:12', '../etc', 'a b', 'nginx:-x', '/nginx', 'x/']) {
    assert.equal(readImageReference(bad), undefined, bad);
  }
});

test('reading what was written gives the same reference, for any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab0./:@-_Z') }), (name) => {
      const reference = readImageReference(name);
      if (reference) assert.deepEqual(readImageReference(imageReferenceText(reference)), reference);
    }),
  );
});
