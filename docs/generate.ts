/**
 * Writes the references that stand in tables of the code: `node docs/generate.ts`. `test/docs.test.ts` fails when they
 * are stale.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** Every generated page: its path below `docs/`, and its text. */
export function generatedPages(): ReadonlyMap<string, string> {
  return new Map([['errors.md', errorsPage()]]);
}

if (import.meta.main) {
  for (const [path, text] of generatedPages()) writeFileSync(join(import.meta.dirname, path), text);
}
