/**
 * Writes the references that stand in tables of the code: `node docs/generate.ts`. `test/docs.test.ts` fails when they
 * are stale.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LEVEL_ROWS } from '#cni/conformance/levels.ts';
import { BUILTIN_IMAGES } from '#lab/images/table.ts';
import { CONFIG_TABLE } from '#spec/config.ts';
import { ERRORS, type ErrorRow } from '#spec/errors.ts';
import { differencesTable } from '#test/conformance/differences.ts';
import { PLACE_SETS, type Place, readResults, resultsTable, SET_NAMES } from '#test/conformance/results.ts';

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

function configPage(): string {
  return [
    '# Settings of a cluster',
    '',
    'Generated from `src/spec/config.ts`: the keys of the ConfigMap `kube-system/polder-config`. An unknown key is named in a warning.',
    '',
    row('key', 'type', 'default', 'what it does'),
    row('---', '---', '---', '---'),
    ...Object.entries(CONFIG_TABLE).map(([key, c]) => row(`\`${key}\``, c.type, `\`${c.default}\``, c.doc)),
    '',
  ].join('\n');
}

/** A recorded session (docs/terminal.txt) as a picture. */
function terminalPicture(): string {
  const lines = readFileSync(join(import.meta.dirname, 'terminal.txt'), 'utf8')
    .trimEnd()
    .split('\n');
  const width = Math.max(...lines.map((l) => l.length)) * 7.25 + 32;
  const height = lines.length * 18 + 32;
  const plain = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const colour = (line: string) => (/^[$#] /.test(line) ? '#e6edf3' : line.startsWith('✓') ? '#7ee787' : '#9da7b3');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="12">`,
    '<title>A terminal: lab up, a pod, its routes</title>',
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    ...lines.map(
      (l, i) => `<text x="16" y="${i * 18 + 30}" fill="${colour(l)}" xml:space="preserve">${plain(l)}</text>`,
    ),
    '</svg>',
    '',
  ].join('\n');
}

/** A page that people write, but for the tables between `<!-- NAME -->` and `<!-- /NAME -->`. */
function conformancePage(): string {
  const parts: Readonly<Record<string, string>> = {
    'results here': resultsOf('here'),
    'results debian': resultsOf('debian'),
    differences: differencesTable(),
    levels: levelsTable(),
  };
  const text = readFileSync(join(import.meta.dirname, 'conformance-cni.md'), 'utf8');
  return text.replace(
    /(<!-- (results \w+|differences|levels) -->\n)[\s\S]*?(\n<!-- \/\2 -->)/g,
    (_, begin: string, name: string, end: string) => `${begin}\n${parts[name]}\n${end}`,
  );
}

/** In the order of the rows: the first that fits a case counts. */
function levelsTable(): string {
  const rows = LEVEL_ROWS.map(({ cases, kind, level, section }) => {
    const of = kind === undefined ? '' : ` of plugins of kind ${kind}`;
    return `| ${cases.map((one) => `\`${one}\``).join(', ')}${of} | ${level} | ${section} |`;
  });
  return ['| cases | level | by |', '|---|---|---|', ...rows].join('\n');
}

function resultsOf(place: Place): string {
  const runs = readResults()[place];
  const when = PLACE_SETS[place].map((set) => `${SET_NAMES[set]} ${runs[set]?.taken} on Linux ${runs[set]?.kernel}`);
  return `Taken: ${when.join('; ')}.\n\n${resultsTable(place, runs)}`;
}

/** Every generated page: its path below `docs/`, and its text. */
export function generatedPages(): ReadonlyMap<string, string> {
  return new Map([
    ['conformance-cni.md', conformancePage()],
    ['errors.md', errorsPage()],
    ['images.md', imagesPage()],
    ['configuration.md', configPage()],
    ['terminal.svg', terminalPicture()],
  ]);
}

if (import.meta.main) {
  for (const [path, text] of generatedPages()) writeFileSync(join(import.meta.dirname, path), text);
}
