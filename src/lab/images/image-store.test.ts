import assert from 'node:assert/strict';
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findProgram, ImageStore } from '#lab/images/image-store.ts';
import { readImageReference } from '#lab/images/reference.ts';
import { BUILTIN_IMAGES, builtinImage } from '#lab/images/table.ts';

const dir = mkdtempSync(join(tmpdir(), 'pt-store-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const store = new ImageStore(dir, '/bin/true');

test('every row of the table has names in full form, and no name twice', () => {
  const names = BUILTIN_IMAGES.flatMap((image) => image.names);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) {
    const reference = readImageReference(name);
    assert.equal(`${reference?.registry}/${reference?.repository}`, name);
  }
});

test('a builtin is found under any tag and spelling', { skip: findProgram('busybox') === undefined }, () => {
  for (const name of ['busybox', 'busybox:1.28', 'docker.io/busybox', 'docker.io/library/busybox:latest']) {
    assert.equal(store.resolve(name).kind, 'found', name);
  }
  const answer = store.resolve('busybox');
  const seed = answer.kind === 'found' ? answer.image.seed : undefined;
  assert.match(readlinkSync(join(seed ?? '', 'usr/lib/polder/busybox/sh')), /busybox$/);
});

test('an unknown image says how to load it and what there is', () => {
  const answer = store.resolve('example.org/myapp:2');
  assert.equal(answer.kind, 'unknown');
  assert.match(answer.kind === 'unknown' ? answer.message : '', /polder lab load FILE.*busybox, nginx/);
});

test('a name that is none is told apart from an unknown one', () => {
  assert.equal(store.resolve('My App').kind, 'invalid');
});

test('the table knows the images of the guides', () => {
  for (const name of ['library/busybox', 'library/nginx', 'nicolaka/netshoot', 'networkstatic/iperf3']) {
    assert.notEqual(builtinImage(`docker.io/${name}`), undefined, name);
  }
});
