/** The folder of a run. One whose run was killed is removed by the next. */

import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'polder-conformance';

/** In the name: in which namespace the owner has its process number, the number, and when it began, since numbers are used again. */
const NAME = new RegExp(`^${PREFIX}-(\\d+)-(\\d+)-(\\d+)-`);

/** Removes what dead runs have left, and makes a new folder. */
export function makeFolder(): string {
  removeStale();
  const { pid } = process;
  return mkdtempSync(join(tmpdir(), `${PREFIX}-${pidNamespace()}-${pid}-${startOf(pid)}-`));
}

function removeStale(): void {
  for (const name of readdirSync(tmpdir())) {
    const [, namespace = '', pid = '', start = ''] = NAME.exec(name) ?? [];
    // A process of another namespace cannot be seen from here: it may well live.
    if (namespace !== pidNamespace() || startOf(pid) === start) continue;
    const path = join(tmpdir(), name);
    if (isOwn(path)) rmSync(path, { recursive: true, force: true });
  }
}

/** Anybody may make a folder of that name in /tmp. */
function isOwn(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === process.getuid?.();
}

function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, '');
}

/** When the process began, clock ticks since boot (proc(5), field 22 of stat); undefined if there is none. */
function startOf(pid: number | string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is a name in brackets, which may have blanks and brackets of its own.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
