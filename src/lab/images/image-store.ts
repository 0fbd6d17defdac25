/** The images of a lab: loaded ones on disk, then the table of what the machine has. */

import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type ImageReference, imageReferenceText, readImageReference } from '#lab/images/reference.ts';
import { type BuiltinImage, builtinImage, type ImageConfig, knownNames, type LayerFile } from '#lab/images/table.ts';

/** Where the kubelet looks for programs of the machine; its own environment does not matter. */
const MACHINE_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** An image that a container can be started from. */
export interface ResolvedImage {
  /** As `kubectl describe` shows it. */
  readonly name: string;
  readonly imageId: string;
  readonly config: ImageConfig;
  /** Lower layers of the root file system, topmost first, absolute. */
  readonly layers: readonly string[];
  /** Folder whose contents are copied over the layers: small, and made for what stands on the machine's own root. */
  readonly seed?: string;
  /** Whether the machine's own root is the lowest layer: then what is private there must be hidden. */
  readonly onMachine: boolean;
}

export type ImageAnswer =
  | { readonly kind: 'found'; readonly image: ResolvedImage }
  | { readonly kind: 'invalid'; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string };

/** A row of `index.json`. */
export interface LoadedImage {
  readonly name: string;
  readonly id: string;
  /** Folder below the image folder that holds the whole root file system. */
  readonly rootfs: string;
  readonly config: ImageConfig;
}

export interface ImageIndex {
  readonly images: Readonly<Record<string, LoadedImage>>;
}

export function indexPath(imageDir: string): string {
  return join(imageDir, 'index.json');
}

export function readIndex(imageDir: string): ImageIndex {
  if (!existsSync(indexPath(imageDir))) return { images: {} };
  // The file is our own, written whole by rename.
  return JSON.parse(readFileSync(indexPath(imageDir), 'utf8')) as ImageIndex;
}

export class ImageStore {
  readonly #dir: string;
  readonly #pauseProgram: string;

  constructor(imageDir: string, pauseProgram: string) {
    this.#dir = imageDir;
    this.#pauseProgram = pauseProgram;
  }

  /** Reads the index each time: `polder lab load` may have changed it. Makes a thin layer at its first use. */
  resolve(text: string): ImageAnswer {
    const reference = readImageReference(text);
    if (reference === undefined)
      return { kind: 'invalid', message: `Failed to apply default image tag "${text}": couldn't parse image name` };
    const loaded = this.#loaded(reference);
    if (loaded !== undefined) return { kind: 'found', image: loaded };
    const builtin = builtinImage(`${reference.registry}/${reference.repository}`);
    if (builtin === undefined) return { kind: 'unknown', message: unknownMessage(reference) };
    const missing = Object.entries(builtin.needs).filter(([program]) => findProgram(program) === undefined);
    if (missing.length > 0) return { kind: 'unknown', message: missingMessage(text, missing) };
    return { kind: 'found', image: this.#builtin(builtin, reference) };
  }

  #loaded(reference: ImageReference): ResolvedImage | undefined {
    const found = readIndex(this.#dir).images[imageReferenceText(reference)];
    if (found === undefined) return undefined;
    return {
      name: found.name,
      imageId: found.id,
      config: found.config,
      layers: [join(this.#dir, found.rootfs)],
      onMachine: false,
    };
  }

  #builtin(image: BuiltinImage, reference: ImageReference): ResolvedImage {
    const layer = this.#thinLayer(image);
    return {
      name: imageReferenceText(reference),
      imageId: `machine://${image.id}`,
      config: image.config,
      layers: ['/'],
      ...(layer === undefined ? {} : { seed: layer }),
      onMachine: true,
    };
  }

  /** Made aside and renamed into place: kubelets of several nodes share the folder. */
  #thinLayer(image: BuiltinImage): string | undefined {
    const files = Object.entries(image.files);
    if (files.length === 0) return undefined;
    const layer = join(this.#dir, 'machine', image.id);
    if (existsSync(layer)) return layer;
    const making = `${layer}.${process.pid}`;
    for (const [path, file] of files) this.#makeFile(join(making, path), file);
    try {
      renameSync(making, layer);
    } catch (error) {
      rmSync(making, { recursive: true, force: true });
      if (!existsSync(layer)) throw error;
    }
    return layer;
  }

  #makeFile(path: string, file: LayerFile): void {
    mkdirSync(dirname(path), { recursive: true });
    if ('text' in file) writeFileSync(path, file.text);
    else if ('folder' in file) mkdirSync(path, { recursive: true, mode: file.mode ?? 0o755 });
    else if ('pause' in file) copyFileSync(this.#pauseProgram, path);
    else linkApplets(path);
  }
}

/** GNU wget, where the machine has it, stands in for the applet, which crashes on `-T` when a connection fails. */
function linkApplets(folder: string): void {
  const busybox = findProgram('busybox') ?? '/bin/busybox';
  const list = spawnSync(busybox, ['--list'], { encoding: 'utf8', env: {} }).stdout ?? '';
  mkdirSync(folder, { recursive: true });
  const keepOut = findProgram('wget') === undefined ? [] : ['wget'];
  for (const applet of list.split('\n')) {
    if (applet !== '' && !applet.includes('/') && !keepOut.includes(applet)) symlinkSync(busybox, join(folder, applet));
  }
}

/** Absolute path of a program of the machine. */
export function findProgram(name: string, folders: readonly string[] = MACHINE_PATH): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function unknownMessage(reference: ImageReference): string {
  return (
    `image "${imageReferenceText(reference)}" is not on this machine, and the lab pulls nothing: load it with ` +
    `\`polder lab load FILE\` (a docker-archive or OCI tar), or use one of ${knownNames().join(', ')}`
  );
}

function missingMessage(text: string, missing: readonly (readonly [string, string])[]): string {
  const packages = missing.map(([, name]) => name).join(' ');
  const programs = missing.map(([program]) => program).join(', ');
  return `image "${text}" stands for the machine's own ${programs}, which is not installed: apt-get install ${packages}`;
}
