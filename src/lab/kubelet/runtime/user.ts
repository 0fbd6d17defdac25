/** The user that an image names, by number. */

import { join } from 'node:path';
import { readText } from '#lab/kubelet/runtime/disk.ts';

export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/** `1000`, `1000:1000`, `nobody`, `www-data:www-data`; names are looked up in the layers' own files. Unknown: root. */
export function readUser(user: string, layers: readonly string[]): UserIds {
  const [name = '', group] = user.split(':');
  if (name === '') return { uid: 0, gid: 0 };
  const entry = lookUp(layers, '/etc/passwd', name, 2);
  const uid = entry?.[2] ?? name;
  const gid = group === undefined ? entry?.[3] : (lookUp(layers, '/etc/group', group, 2)?.[2] ?? group);
  return { uid: number(uid), gid: number(gid ?? '0') };
}

function number(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : 0;
}

/** The line of a colon-separated file whose first field, or number, it is. */
function lookUp(layers: readonly string[], file: string, key: string, numberField: number): string[] | undefined {
  const text = layers.map((layer) => readText(join(layer, file))).find((found) => found !== undefined) ?? '';
  const rows = text.split('\n').map((line) => line.split(':'));
  return rows.find((row) => row[0] === key || row[numberField] === key);
}
