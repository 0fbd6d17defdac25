/** Image archives: what `docker save` writes, and OCI image layouts; found out by what they hold. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline, type Readable, Transform, type TransformCallback } from 'node:stream';
import * as zlib from 'node:zlib';
import { imageReferenceText, readImageReference } from '#lab/images/reference.ts';
import type { ImageConfig } from '#lab/images/table.ts';
import { BLOCK, type ByteSource, tarEntries } from '#lab/images/tar.ts';

/** Where a file of the archive lies in it. */
interface Span {
  readonly at: number;
  readonly size: number;
}

export interface ArchiveLayer {
  readonly span: Span;
  /** Digest of the layer as it lies there, if the archive says it (OCI). */
  readonly digest?: string;
  /** Digest of the unpacked tar. */
  readonly diffId?: string;
}

export interface ArchiveImage {
  /** Full references: `docker.io/library/app:1`. */
  readonly names: readonly string[];
  /** `sha256:…` of the configuration. */
  readonly id: string;
  readonly config: ImageConfig;
  readonly layers: readonly ArchiveLayer[];
}

/** JSON files of an archive are small. */
const JSON_MAX = 8 << 20;
const ARCHES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm' };

export class ImageArchive implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #spans: ReadonlyMap<string, Span>;

  private constructor(path: string, file: FileHandle, spans: ReadonlyMap<string, Span>) {
    this.#path = path;
    this.#file = file;
    this.#spans = spans;
  }

  /** Reads the headers of a plain tar. @throws SyntaxError if it is none */
  static async open(path: string): Promise<ImageArchive> {
    const file = await open(path, 'r');
    try {
      return new ImageArchive(path, file, await spansOf(file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.close();
  }

  /** @throws SyntaxError if it holds no image that can run here */
  async images(): Promise<ArchiveImage[]> {
    if (this.#spans.has('manifest.json')) return this.#dockerImages();
    if (this.#spans.has('index.json')) return this.#ociImages();
    throw new SyntaxError('it has neither manifest.json (docker save) nor index.json (OCI image layout)');
  }

  /** The layer as a plain tar, its digests checked as it passes; an error of the stream says when they are wrong. */
  async layerTar(layer: ArchiveLayer): Promise<Readable> {
    const { at, size } = layer.span;
    if (size === 0) throw new SyntaxError('a layer is empty');
    const head = Buffer.alloc(4);
    await this.#file.read(head, 0, Math.min(4, size), at);
    const raw = createReadStream(this.#path, { start: at, end: at + size - 1 });
    const unpacker = unpackerFor(head);
    const plain = digestCheck('unpacked layer', layer.diffId);
    // The last stream ends with the first error of any.
    pipeline([raw, digestCheck('layer', layer.digest), ...(unpacker ? [unpacker] : []), plain], () => {});
    return plain;
  }

  async #bytes(name: string): Promise<Buffer> {
    const span = this.#spans.get(name);
    if (span === undefined) throw new SyntaxError(`${name} is missing`);
    if (span.size > JSON_MAX) throw new SyntaxError(`${name} is too large`);
    const buffer = Buffer.alloc(span.size);
    await this.#file.read(buffer, 0, span.size, span.at);
    return buffer;
  }

  async #json(name: string): Promise<Record<string, unknown> | unknown[]> {
    const value: unknown = JSON.parse((await this.#bytes(name)).toString('utf8'));
    if (typeof value !== 'object' || value === null) throw new SyntaxError(`${name} is no JSON object`);
    return value as Record<string, unknown> | unknown[];
  }

  #span(name: string): Span {
    const span = this.#spans.get(name);
    if (span === undefined) throw new SyntaxError(`${name} is missing`);
    return span;
  }

  async #dockerImages(): Promise<ArchiveImage[]> {
    const manifest = await this.#json('manifest.json');
    const rows = Array.isArray(manifest) ? (manifest as DockerManifest[]) : [];
    return Promise.all(
      rows.map(async ({ Config = '', RepoTags, Layers = [] }) => {
        const { config, diffIds } = await this.#config(Config);
        return {
          names: (RepoTags ?? []).flatMap(fullName),
          id: digestOf(await this.#bytes(Config)),
          config,
          layers: Layers.map((name, i) => withDiffId({ span: this.#span(name) }, diffIds[i])),
        };
      }),
    );
  }

  async #ociImages(): Promise<ArchiveImage[]> {
    const index = (await this.#json('index.json')) as OciIndex;
    const found: ArchiveImage[] = [];
    for (const descriptor of index.manifests ?? []) {
      const manifest = await this.#ociManifest(descriptor);
      const notes = descriptor.annotations ?? {};
      const name = notes['io.containerd.image.name'] ?? notes['org.opencontainers.image.ref.name'] ?? '';
      const { config, diffIds } = await this.#config(blob(manifest.config?.digest));
      const layers = (manifest.layers ?? []).map(({ digest = '' }, i) =>
        withDiffId({ span: this.#span(blob(digest)), digest }, diffIds[i]),
      );
      found.push({ names: fullName(name), id: manifest.config?.digest ?? '', config, layers });
    }
    return found;
  }

  /** Of this machine's architecture, where an index leads to several. */
  async #ociManifest(descriptor: Descriptor): Promise<OciManifest> {
    const document = (await this.#json(blob(descriptor.digest))) as OciManifest & OciIndex;
    if (document.manifests === undefined) return document;
    const arch = ARCHES[process.arch] ?? process.arch;
    const mine = document.manifests.find((m) => m.platform?.architecture === arch && m.platform.os === 'linux');
    if (mine === undefined) throw new SyntaxError(`it has no image for linux/${arch}`);
    return (await this.#json(blob(mine.digest))) as OciManifest;
  }

  async #config(name: string): Promise<{ config: ImageConfig; diffIds: readonly string[] }> {
    const document = (await this.#json(name)) as ConfigDocument;
    const arch = ARCHES[process.arch] ?? process.arch;
    if (document.architecture !== undefined && document.architecture !== arch) {
      throw new SyntaxError(`it is for ${document.architecture}, and this machine is ${arch}`);
    }
    const { Entrypoint, Cmd, Env, WorkingDir, User } = document.config ?? {};
    const pairs = (Env ?? []).map(
      (pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const,
    );
    const config = {
      entrypoint: Entrypoint ?? [],
      cmd: Cmd ?? [],
      env: { PATH: DEFAULT_PATH, ...Object.fromEntries(pairs) },
      workingDir: WorkingDir || '/',
      user: User ?? '',
    };
    return { config, diffIds: document.rootfs?.diff_ids ?? [] };
  }
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

interface DockerManifest {
  readonly Config?: string;
  readonly RepoTags?: readonly string[] | null;
  readonly Layers?: readonly string[];
}

interface Descriptor {
  readonly digest?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly architecture?: string; readonly os?: string };
}

interface OciIndex {
  readonly manifests?: readonly Descriptor[];
}

interface OciManifest {
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
}

interface ConfigDocument {
  readonly architecture?: string;
  readonly config?: {
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly Env?: readonly string[] | null;
    readonly WorkingDir?: string;
    readonly User?: string;
  };
  readonly rootfs?: { readonly diff_ids?: readonly string[] };
}

function fullName(name: string): string[] {
  const reference = readImageReference(name);
  return reference === undefined ? [] : [imageReferenceText(reference)];
}

function withDiffId(layer: ArchiveLayer, diffId: string | undefined): ArchiveLayer {
  return diffId === undefined ? layer : { ...layer, diffId };
}

/** `blobs/sha256/…`. @throws SyntaxError */
function blob(digest: string | undefined): string {
  if (digest === undefined || !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw new SyntaxError(`"${digest}" is no sha256 digest`);
  return `blobs/${digest.replace(':', '/')}`;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function spansOf(file: FileHandle): Promise<Map<string, Span>> {
  const spans = new Map<string, Span>();
  const links = new Map<string, string>();
  const source = new FileSource(file);
  for await (const entry of tarEntries(source)) {
    const name = entry.path.replace(/^\.\//, '');
    if (entry.type === 'file') spans.set(name, { at: source.position, size: entry.size });
    // Old `docker save` wrote a layer that two images share once, and links to it.
    if (entry.type === 'link' || entry.type === 'hardlink') links.set(name, linkTarget(name, entry.target, entry.type));
    await source.skip(entry.size);
  }
  for (const [name, target] of links) {
    const span = spans.get(target);
    if (span !== undefined) spans.set(name, span);
  }
  return spans;
}

function linkTarget(name: string, target: string, type: 'link' | 'hardlink'): string {
  if (type === 'hardlink') return target.replace(/^\.\//, '');
  return new URL(target, `tar:///${name}`).pathname.slice(1);
}

class FileSource implements ByteSource {
  readonly #file: FileHandle;
  position = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async take(length: number): Promise<Buffer> {
    const buffer = Buffer.alloc(Math.max(length, BLOCK));
    const { bytesRead } = await this.#file.read(buffer, 0, length, this.position);
    if (bytesRead === 0 && this.position > (await this.#file.stat()).size) throw new SyntaxError('it is cut off');
    this.position += bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  async skip(length: number): Promise<void> {
    this.position += length;
  }
}

/** Passes bytes on and compares their digest at the end. */
function digestCheck(what: string, wanted: string | undefined): Transform {
  const hash = createHash('sha256');
  return new Transform({
    transform(chunk: Buffer, _encoding: string, done: TransformCallback) {
      if (wanted !== undefined) hash.update(chunk);
      done(null, chunk);
    },
    flush(done: TransformCallback) {
      const seen = wanted === undefined ? undefined : `sha256:${hash.digest('hex')}`;
      done(seen === wanted ? null : new SyntaxError(`a digest is wrong: ${what} ${seen} should be ${wanted}`));
    },
  });
}

/** By the first bytes: gzip, zstd, or a tar as it is. */
function unpackerFor(head: Buffer): Transform | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return zlib.createGunzip();
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return zlib.createZstdDecompress();
  return undefined;
}
