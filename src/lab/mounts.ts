/** Mounts below a folder, from the kernel's own list. */

import { readFileSync } from 'node:fs';

/** Mount points at or below one of the folders, deepest (latest) first, from the text of /proc/self/mountinfo. */
export function mountsBelow(mountinfo: string, folders: readonly string[]): string[] {
  return mountinfo
    .split('\n')
    .map((line) => unescapeOctal(line.split(' ')[4] ?? ''))
    .filter((point) => folders.some((folder) => point === folder || point.startsWith(`${folder}/`)))
    .reverse();
}

export function machineMountsBelow(folders: readonly string[]): string[] {
  return mountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), folders);
}

/** Space, tab, newline and backslash are written as three octal digits (proc_pid_mountinfo(5)). */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
