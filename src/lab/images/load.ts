/** Loading an image from a file into a lab's image folder. */

import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type ArchiveImage, ImageArchive } from '#lab/images/archive.ts';
import { StreamSource } from '#lab/images/byte-source.ts';
import { indexPath, type LoadedImage, readIndex } from '#lab/images/image-store.ts';
import { unpackLayer } from '#lab/images/unpack.ts';
import { PolderError } from '#spec/errors.ts';

/**
 * Unpacks every image of a docker-archive or OCI layout (a tar, or that gzipped) and enters it under its names.
 * Nothing is changed unless all of it could be read. @throws PolderError 'image-invalid'
 */
export async function loadImageTar(file: string, imageDir: string): Promise<LoadedImage[]> {
  await mkdir(imageDir, { recursive: true });
  const work = await mkdtemp(join(imageDir, '.loading-'));
  try {
    const tar = await plainTar(file, work);
    await using archive = await ImageArchive.open(tar);
    const images = await archive.images();
    if (images.length === 0) throw new SyntaxError('it holds no image');
    if (images.every((image) => image.names.length === 0))
      throw new SyntaxError('no image in it has a name: tag it before saving');
    const loaded: LoadedImage[] = [];
    for (const image of images) loaded.push(...(await unpackImage(archive, image, imageDir, work)));
    await enter(imageDir, loaded);
    return loaded;
  } catch (error) {
    throw invalid(file, error);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function invalid(file: string, error: unknown): unknown {
  if (error instanceof SyntaxError || error instanceof RangeError) {
    return new PolderError('image-invalid', { file, what: error.message }, { cause: error });
  }
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code?.startsWith('Z_') || code?.startsWith('ZSTD_')) {
    return new PolderError('image-invalid', { file, what: 'a layer is damaged' }, { cause: error });
  }
  if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR') {
    return new PolderError('image-invalid', { file, what: `it cannot be read (${code})` }, { cause: error });
  }
  return error;
}

async function plainTar(file: string, work: string): Promise<string> {
  const handle = await open(file, 'r');
  const head = Buffer.alloc(2);
  await handle.read(head, 0, 2, 0);
  await handle.close();
  if (head[0] !== 0x1f || head[1] !== 0x8b) return file;
  const plain = join(work, 'archive.tar');
  await pipeline(createReadStream(file), createGunzip(), createWriteStream(plain)).catch((error: Error) => {
    throw new SyntaxError(error.message);
  });
  return plain;
}

/** The same image again takes the folder that is there: running containers stand on it. */
async function unpackImage(
  archive: ImageArchive,
  image: ArchiveImage,
  imageDir: string,
  work: string,
): Promise<LoadedImage[]> {
  const short = image.id.replace('sha256:', '').slice(0, 24);
  const rootfs = join('rootfs', short);
  const making = join(work, short);
  await mkdir(making, { mode: 0o755 });
  for (const layer of image.layers) await unpackLayer(making, new StreamSource(await archive.layerTar(layer)));
  await mkdir(join(imageDir, 'rootfs'), { recursive: true });
  await rename(making, join(imageDir, rootfs)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  return image.names.map((name) => ({ name, id: image.id, rootfs, config: image.config }));
}

async function enter(imageDir: string, loaded: readonly LoadedImage[]): Promise<void> {
  const { images } = readIndex(imageDir);
  const added = Object.fromEntries(loaded.map((image) => [image.name, image]));
  const making = `${indexPath(imageDir)}.${process.pid}`;
  await writeFile(making, JSON.stringify({ images: { ...images, ...added } }, null, 2));
  await rename(making, indexPath(imageDir));
}
