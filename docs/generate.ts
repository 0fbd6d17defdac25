/**
 * Writes the references that stand in tables of the code: `node docs/generate.ts`. `test/docs.test.ts` fails when they
 * are stale.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILTIN_IMAGES } from '#lab/images/table.ts';
import { ERRORS, type ErrorRow } from '#spec/errors.ts';

/** A row of a Markdown table; bars in cells are escaped. */
function row(...cells: readonly (string | number)[]): string {
  return `| ${cells.map((c) => String(c).replaceAll('|', '\\|')).join(' | ')} |`;
}

function errorsPage(): string {
  const rows = Object.entries<ErrorRow>(ERRORS).map(([code, e]) =>
    row(`\`${code}\``, e.exit, e.cni ?? '', e.sentence, e.todo),
  );
  return [
    '# Errors',
    '',
    'Generated from `src/spec/errors.ts`. A command that stops with one prints its sentence and what to do, and exits with its status.',
    'Words in braces are filled in. Status 0 is success; 1 is a check that ran and did not hold (`lab verify`, `test`); 130 is Ctrl-C.',
    '',
    row('code', 'exit status', 'CNI code', 'sentence', 'what to do'),
    row('---', '---', '---', '---', '---'),
    ...rows,
    '',
  ].join('\n');
}

function imagesPage(): string {
  const rows = BUILTIN_IMAGES.map((image) => {
    const names = image.names.map((name) => `\`${name.replace(/^docker\.io\/(library\/)?/, '')}\``).join(', ');
    const runs = [...image.config.entrypoint, ...image.config.cmd].join(' ').slice(0, 60);
    const needs = Object.values(image.needs).join(', ') || 'nothing';
    return row(names, image.what, `\`${runs}\``, needs);
  });
  return [
    '# Images',
    '',
    'Generated from `src/lab/images/table.ts`. The lab pulls nothing. These names, with any tag and with or without',
    '`docker.io/library/`, stand for what the machine itself has: the container’s root is the machine’s own, copied on write',
    'into memory, with `/root`, `/home`, `/run`, `/tmp` and `/var/lib/polder` empty. So a pod can read what the machine’s root',
    'can read elsewhere: run only what you trust. Any other image is loaded from a file, `polder lab load FILE` (what `docker save`',
    'writes, or an OCI image layout as a tar), and has a root of its own.',
    '',
    row('image', 'what it is here', 'runs', 'Debian package'),
    row('---', '---', '---', '---'),
    ...rows,
    '',
    'busybox’s `wget -T` crashes in Debian 12 when a connection fails: where the machine has GNU wget, that is first in `PATH`',
    '(the applet still runs when busybox’s own shell is asked for it).',
    '',
  ].join('\n');
}

/** Every generated page: its path below `docs/`, and its text. */
export function generatedPages(): ReadonlyMap<string, string> {
  return new Map([
    ['errors.md', errorsPage()],
    ['images.md', imagesPage()],
  ]);
}

if (import.meta.main) {
  for (const [path, text] of generatedPages()) writeFileSync(join(import.meta.dirname, path), text);
}
