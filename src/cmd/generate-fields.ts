/**
 * Writes `src/spec/kinds/schema/fields.json`: the fields of every type that the table of kinds reaches, from the types
 * of the installed @kubernetes/client-node (Kubernetes 1.36, Apache-2.0). Run it after adding a kind to the table:
 * `node src/cmd/generate-fields.ts`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { OWN_FIELDS } from '#spec/kinds/schema/own-fields.ts';
import { KINDS } from '#spec/kinds/table.ts';

interface Attribute {
  readonly baseName: string;
  readonly type: string;
  readonly format: string;
}

const MODELS = join(dirname(createRequire(import.meta.url).resolve('@kubernetes/client-node')), 'gen/models');
const EXTRA_ROOTS = ['V1DeleteOptions', 'V1Eviction', 'V1Binding', 'AuthenticationV1TokenRequest', 'V1Scale'];

/** Quantities are plain strings in the generated models; these fields hold them (API reference, "Quantity"). */
const QUANTITIES = new Set([
  'limits',
  'requests',
  'capacity',
  'allocatable',
  'sizeLimit',
  'divisor',
  'hard',
  'used',
  'overhead',
  'allocatedResources',
  'default',
  'defaultRequest',
  'max',
  'maxLimitRequestRatio',
  'min',
  'podFixed',
]);

function attributesOf(type: string): Attribute[] {
  const text = readFileSync(join(MODELS, `${type}.js`), 'utf8');
  const found = /attributeTypeMap = (\[[\s\S]*?\n\]);/.exec(text)?.[1];
  return found === undefined ? [] : JSON.parse(found);
}

/** Names of the fields that the declarations do not mark optional. */
function requiredOf(type: string): Set<string> {
  const text = readFileSync(join(MODELS, `${type}.d.ts`), 'utf8');
  return new Set([...text.matchAll(/^ {4}'([^']+)': /gm)].map((match) => match[1] ?? ''));
}

const WORDS: Record<string, string> = {
  'number int32': 'int32',
  'number int64': 'int64',
  'number double': 'number',
  'Date date-time': 'date',
  'Date date-time-micro': 'micro-date',
  'IntOrString int-or-string': 'int-or-string',
  'string byte': 'bytes',
  'V1MicroTime ': 'micro-date',
};

function word(type: string, format: string): string {
  const list = /^Array<(.+)>$/.exec(type);
  if (list?.[1] !== undefined) return `[]${word(list[1], format)}`;
  const map = /^\{ \[key: string\]: (.+); \}$/.exec(type);
  if (map?.[1] !== undefined) return `{}${word(map[1], format)}`;
  return WORDS[`${type} ${format}`] ?? WORDS[`${type} `] ?? type;
}

function fieldText(attribute: Attribute, needed: Set<string>): string {
  let type = word(attribute.type, attribute.format);
  if (QUANTITIES.has(attribute.baseName)) type = type.replace(/string$/, 'quantity');
  return `${attribute.baseName}${needed.has(attribute.baseName) ? '!' : ''}=${type}`;
}

function collect(roots: readonly string[]): Record<string, string> {
  const types: Record<string, string> = {};
  const open = [...roots];
  for (let type = open.pop(); type !== undefined; type = open.pop()) {
    if (types[type] !== undefined) continue;
    const attributes = attributesOf(type);
    types[type] = attributes.map((attribute) => fieldText(attribute, requiredOf(type))).join(' ');
    for (const field of attributes) open.push(...(word(field.type, '').match(/[A-Z]\w*V\d\w*|V\d\w+/g) ?? []));
  }
  return Object.fromEntries(Object.entries(types).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const target = join(import.meta.dirname, '../spec/kinds/schema/fields.json');
// Some have a schema of their own in place of a type.
const roots = KINDS.map((row) => row.type).filter((type) => type !== '' && !(type in OWN_FIELDS));
writeFileSync(target, `${JSON.stringify(collect([...roots, ...EXTRA_ROOTS]), null, 2)}\n`);
