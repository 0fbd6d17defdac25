/** Images made by hand of files of this machine: a docker-archive, which containerd and podman both import. */

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { machine as cpu } from 'node:os';

export interface ImageFile {
  /** Without a leading slash. */
  readonly name: string;
  /** A file of this machine that it is a copy of, or what it is a link to. */
  readonly from?: string;
  readonly link?: string;
}

export interface ImageWish {
  /** `docker.io/library/name:tag` */
  readonly tag: string;
  readonly entrypoint: readonly string[];
  readonly files: readonly ImageFile[];
}

const ARCHITECTURES: Record<string, string> = { x86_64: 'amd64', aarch64: 'arm64' };

export function writeImage(path: string, { tag, entrypoint, files }: ImageWish): void {
  const layer = tar(files.map(({ name, from, link }) => ({ name, link, data: from ? readFileSync(from) : EMPTY })));
  const config = Buffer.from(
    JSON.stringify({
      architecture: ARCHITECTURES[cpu()] ?? cpu(),
      os: 'linux',
      config: { Entrypoint: entrypoint, Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  );
  const configName = `${sha256(config)}.json`;
  const manifest = Buffer.from(JSON.stringify([{ Config: configName, RepoTags: [tag], Layers: ['layer.tar'] }]));
  const parts = [
    { name: 'layer.tar', data: layer },
    { name: configName, data: config },
    { name: 'manifest.json', data: manifest },
  ];
  writeFileSync(path, tar(parts));
}

const EMPTY = Buffer.alloc(0);
const BLOCK = 512;

interface Entry {
  readonly name: string;
  readonly data: Buffer;
  readonly link?: string | undefined;
}

/** A ustar archive (POSIX.1-1988 pax, "ustar Interchange Format"). */
function tar(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap(({ name, data, link }) => [
    header(name, data.length, link),
    data,
    Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(name: string, size: number, link: string | undefined): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, '0'), at, 'ascii');
  block.write(name, 0, 'utf8');
  octal(0o755, 100, 8);
  for (const at of [108, 116]) octal(0, at, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write(link === undefined ? '0' : '2', 156, 'ascii');
  block.write(link ?? '', 157, 'utf8');
  block.write('ustar\u000000', 257, 'ascii');
  // Its own place counts as spaces.
  block.fill(' ', 148, 156);
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'ascii',
  );
  return block;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
