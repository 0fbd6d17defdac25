import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { ImageStore } from '#lab/images/image-store.ts';
import { loadImageTar } from '#lab/images/load.ts';
import { type FixtureEntry, tarOf } from '#lab/images/testing/tar-fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'pt-images-'));
after(() => rmSync(root, { recursive: true, force: true }));
const isRoot = process.getuid?.() === 0;
const sha = (bytes: Buffer | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
let serial = 0;

function configOf(layers: readonly Buffer[]): string {
  return JSON.stringify({
    architecture: { x64: 'amd64', arm64: 'arm64' }[process.arch as string],
    config: { Entrypoint: ['/bin/app'], Cmd: ['serve'], Env: ['A=1=2', 'PATH=/bin'], WorkingDir: '/srv', User: '1000' },
    rootfs: { type: 'layers', diff_ids: layers.map(sha) },
  });
}

function write(bytes: Buffer): { file: string; dir: string } {
  const place = join(root, String(serial++));
  mkdirSync(place);
  writeFileSync(join(place, 'image.tar'), bytes);
  return { file: join(place, 'image.tar'), dir: join(place, 'images') };
}

/** As `docker save` writes it. */
function dockerArchive(layers: readonly Buffer[], names = ['app:1']): Buffer {
  const files: FixtureEntry[] = layers.map((layer, i) => ({ path: `l${i}/layer.tar`, text: layer.toString('latin1') }));
  const manifest = [{ Config: 'c.json', RepoTags: names, Layers: files.map((f) => f.path) }];
  return tarOf([
    ...files,
    { path: 'c.json', text: configOf(layers) },
    { path: 'manifest.json', text: JSON.stringify(manifest) },
  ]);
}

/** Packed layers as files of an OCI layout; `packed` may differ from what the digests say. */
function ociLayout(layers: readonly Buffer[], pack: (layer: Buffer) => Buffer): { files: [string, Buffer][] } {
  const config = Buffer.from(configOf(layers));
  const packed = layers.map(pack);
  const manifest = Buffer.from(
    JSON.stringify({ config: { digest: sha(config) }, layers: packed.map((p) => ({ digest: sha(p) })) }),
  );
  const index = Buffer.from(
    JSON.stringify({
      manifests: [{ digest: sha(manifest), annotations: { 'org.opencontainers.image.ref.name': 'example.org/app:2' } }],
    }),
  );
  const blob = (bytes: Buffer): [string, Buffer] => [`blobs/${sha(bytes).replace(':', '/')}`, bytes];
  return { files: [['index.json', index], blob(config), blob(manifest), ...packed.map(blob)] };
}

/** Binary contents: the fixture takes text only. */
function tarOfBytes(files: readonly [string, Buffer][]): Buffer {
  return Buffer.concat([
    ...files.flatMap(([path, bytes]) => {
      const shell = tarOf([{ path, text: 'x'.repeat(bytes.length) }]);
      bytes.copy(shell, 512);
      return [shell.subarray(0, shell.length - 1024)];
    }),
    Buffer.alloc(1024),
  ]);
}

const base = tarOf([
  { path: 'etc/', type: '5', mode: 0o755 },
  { path: 'etc/old', text: 'old' },
  { path: 'etc/keep', text: 'keep' },
  { path: 'opt/', type: '5', mode: 0o755 },
  { path: 'opt/a', text: 'a' },
  { path: 'bin', type: '2', target: 'usr/bin' },
  { path: 'usr/bin/tool', text: 'tool', mode: 0o755 },
]);
const top = tarOf([
  { path: './etc/.wh.old' },
  { path: 'opt/.wh..wh..opq' },
  { path: 'opt/b', text: 'b' },
  { path: 'bin/app', text: 'app', mode: 0o755 },
  { path: 'bin/again', type: '1', target: 'usr/bin/app' },
]);

function check(dir: string, name: string): void {
  const answer = new ImageStore(dir, '/nowhere/pause').resolve(name);
  assert.equal(answer.kind, 'found');
  const image = answer.kind === 'found' ? answer.image : undefined;
  assert.deepEqual(image?.config, {
    entrypoint: ['/bin/app'],
    cmd: ['serve'],
    env: { PATH: '/bin', A: '1=2' },
    workingDir: '/srv',
    user: '1000',
  });
  assert.equal(image?.onMachine, false);
  const fs = image?.layers[0] ?? '';
  assert.deepEqual(readdirSync(join(fs, 'etc')), ['keep']);
  assert.deepEqual(readdirSync(join(fs, 'opt')), ['b']);
  assert.deepEqual(readdirSync(join(fs, 'usr/bin')).sort(), ['again', 'app', 'tool']);
  assert.equal(readFileSync(join(fs, 'usr/bin/again'), 'utf8'), 'app');
  assert.equal(statSync(join(fs, 'usr/bin/app')).mode & 0o777, 0o755);
}

test('a docker-archive is laid out layer over layer, whiteouts honoured', { skip: !isRoot }, async () => {
  const { file, dir } = write(dockerArchive([base, top]));
  const loaded = await loadImageTar(file, dir);
  assert.deepEqual(
    loaded.map((i) => i.name),
    ['docker.io/library/app:1'],
  );
  check(dir, 'app:1');
});

test('an archive may be gzipped as a whole', { skip: !isRoot }, async () => {
  const { file, dir } = write(gzipSync(dockerArchive([base, top])));
  await loadImageTar(file, dir);
  check(dir, 'app:1');
});

for (const [name, pack] of [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
  ['plain', (b: Buffer) => b],
] as const) {
  test(`an OCI layout with ${name} layers is loaded`, { skip: !isRoot }, async () => {
    const { file, dir } = write(tarOfBytes(ociLayout([base, top], (layer) => pack(layer)).files));
    await loadImageTar(file, dir);
    check(dir, 'example.org/app:2');
  });
}

test('loading the same image twice changes nothing', { skip: !isRoot }, async () => {
  const { file, dir } = write(dockerArchive([base, top]));
  await loadImageTar(file, dir);
  await loadImageTar(file, dir);
  check(dir, 'app:1');
  assert.deepEqual(
    readdirSync(dir).filter((n) => n.startsWith('.')),
    [],
  );
});

async function refused(bytes: Buffer, what: RegExp): Promise<void> {
  const { file, dir } = write(bytes);
  await assert.rejects(loadImageTar(file, dir), { name: 'PolderError', code: 'image-invalid', message: what });
  assert.equal(existsSync(join(dir, 'index.json')), false);
  assert.deepEqual(readdirSync(dir), []);
}

test('a changed layer is refused: its digest is wrong', async () => {
  const { files } = ociLayout([base], gzipSync);
  const last = files.at(-1);
  if (last) files[files.length - 1] = [last[0], gzipSync(top)];
  await refused(tarOfBytes(files), /digest is wrong/);
});

test('a path with .. is refused', () =>
  refused(dockerArchive([tarOf([{ path: '../evil', text: 'x' }])]), /leaves the image/));

test('a link out of the image is followed inside it', { skip: !isRoot }, async () => {
  const outside = join(root, 'outside');
  mkdirSync(outside);
  const layer = tarOf([
    { path: 'esc', type: '2', target: outside },
    { path: 'esc/file', text: 'inside' },
    { path: 'up', type: '2', target: '../../../../../../..' },
    { path: 'up/file', text: 'inside' },
  ]);
  const { file, dir } = write(dockerArchive([layer]));
  const [image] = await loadImageTar(file, dir);
  assert.deepEqual(readdirSync(outside), []);
  assert.equal(readFileSync(join(dir, image?.rootfs ?? '', outside, 'file'), 'utf8'), 'inside');
  assert.equal(readFileSync(join(dir, image?.rootfs ?? '', 'file'), 'utf8'), 'inside');
});

test('links in a circle are refused', () =>
  refused(
    dockerArchive([
      tarOf([
        { path: 'a', type: '2', target: 'b' },
        { path: 'b', type: '2', target: 'a' },
        { path: 'a/x', text: '' },
      ]),
    ]),
    /circle/,
  ));

test('a hard link to nothing of the image is refused', () =>
  refused(dockerArchive([tarOf([{ path: 'h', type: '1', target: 'etc/passwd' }])]), /no file of the image/));

test('a tar that is cut off is refused', () => refused(dockerArchive([base]).subarray(0, 700), /cut off|missing/));

test('text is refused as no tar', () => refused(Buffer.from('hello '.repeat(200)), /checksum|octal/));

test('a tar without an image is refused', () =>
  refused(tarOf([{ path: 'readme', text: 'hi' }]), /neither manifest.json/));

test('an unnamed image is refused', () => refused(dockerArchive([base], []), /has a name/));
