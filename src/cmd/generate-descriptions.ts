/**
 * Writes `src/serve/api/discovery/descriptions.json.br`: what Kubernetes says of its types and their fields, for OpenAPI
 * and `kubectl explain`, from the comments of the installed @kubernetes/client-node (Kubernetes 1.36, Apache-2.0; see
 * docs/decisions). Run it after `generate-fields.ts`: `node src/cmd/generate-descriptions.ts`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import table from '#spec/kinds/schema/fields.json' with { type: 'json' };

const MODELS = join(dirname(createRequire(import.meta.url).resolve('@kubernetes/client-node')), 'gen/models');
const SOURCE = 'Descriptions of the Kubernetes API, release 1.36. Copyright The Kubernetes Authors. Apache-2.0.';

/** The type's own text stands under ''. */
type Texts = Record<string, string>;

function textsOf(type: string): Texts {
  const text = readFileSync(join(MODELS, `${type}.d.ts`), 'utf8');
  const texts: Texts = {};
  // Words of the language have a line before them there.
  for (const [, comment = '', , field = ''] of text.matchAll(
    /\/\*\*\n((?:(?! *\*\/).*\n)*?) *\*\/\n(export declare class| {4}'([^']+)'\??:)/g,
  ))
    texts[field.replace(/^_/, '')] = plain(comment);
  return texts;
}

/** A comment without its stars and backslashes. */
function plain(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^ *\* ?/, ''))
    .join('\n')
    .replaceAll('*_/', '*/')
    .replace(/\\(["'\\])/g, '$1')
    .trim();
}

const descriptions: Record<string, Texts> = { '': { '': SOURCE } };
for (const type of Object.keys(table)) descriptions[type] = textsOf(type);
const bytes = brotliCompressSync(Buffer.from(JSON.stringify(descriptions)));
writeFileSync(join(import.meta.dirname, '../serve/api/discovery/descriptions.json.br'), bytes);
