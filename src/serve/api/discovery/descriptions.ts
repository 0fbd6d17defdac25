/**
 * What Kubernetes says of its types and fields, read from `descriptions.json.br` (written by
 * `src/cmd/generate-descriptions.ts`) when somebody asks for OpenAPI: `kubectl explain` shows it, nothing else needs it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

/** Texts by field; the type's own stands under ''. */
export type Texts = Readonly<Record<string, string>>;

const NONE: Texts = {};
let known: Readonly<Record<string, Texts>> | undefined;

/** The texts of a type of the field tables; none of Polder's own types. */
export function textsOf(type: string): Texts {
  known ??= read();
  return Object.hasOwn(known, type) ? (known[type] ?? NONE) : NONE;
}

function read(): Readonly<Record<string, Texts>> {
  const packed = readFileSync(join(import.meta.dirname, 'descriptions.json.br'));
  return JSON.parse(brotliDecompressSync(packed).toString('utf8'));
}
