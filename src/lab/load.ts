/** Gives a lab an image from a file. */

import { loadImageTar } from '#lab/images/load.ts';
import { labPaths } from '#lab/names.ts';
import { requireLab } from '#lab/state.ts';

/** @returns the names that pods can use. @throws PolderError 'no-lab', 'image-invalid' */
export async function loadIntoLab(lab: string, file: string): Promise<string[]> {
  requireLab(lab);
  const loaded = await loadImageTar(file, labPaths(lab).imagesDir);
  return loaded.map(({ name }) => name);
}
