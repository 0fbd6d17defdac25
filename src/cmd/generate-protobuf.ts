/**
 * Writes `src/spec/kinds/schema/protobuf.json`: field numbers of the messages that clients may send as protobuf (kubectl
 * 1.32 and later does for `kubectl create namespace|configmap|secret|…`). They are read from the descriptors that every
 * kubectl carries: `node src/cmd/generate-protobuf.ts /usr/bin/kubectl`. Run it after adding a kind to the table.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import { type Message, readMessage } from '#serve/api/protobuf/wire.ts';
import { OWN_FIELDS } from '#spec/kinds/schema/own-fields.ts';
import { KINDS } from '#spec/kinds/table.ts';

const GZIP = Buffer.from([0x1f, 0x8b, 0x08]);
/** No descriptor is larger. */
const LARGEST = 512 * 1024;

/** google/protobuf/descriptor.proto: numbers of the fields that are read. */
const FILE = { name: 1, package: 2, messages: 4 };
const DESCRIPTOR = { name: 1, field: 2, nested: 3, options: 7 };
const FIELD = { name: 1, number: 3, label: 4, type: 5, typeName: 6 };
const REPEATED = 3;
const SCALARS: Record<number, string> = { 1: 'double', 3: 'int64', 5: 'int32', 8: 'bool', 9: 'string', 12: 'bytes' };

/** Messages that the Go types embed: their fields are those of the message around them in JSON. */
const INLINE = new Set([
  'volumeSource',
  'handler',
  'localObjectReference',
  'ephemeralContainerCommon',
  'persistentVolumeSource',
  'typeMeta',
  'ingressRuleValue',
]);

/** Fields that are called otherwise in JSON. */
const JSON_NAMES: Readonly<Record<string, string>> = { Webhooks: 'webhooks', uID: 'uid' };

function* descriptorFiles(binary: Buffer): Generator<Message> {
  for (let at = binary.indexOf(GZIP); at >= 0; at = binary.indexOf(GZIP, at + GZIP.length)) {
    const file = tryRead(binary.subarray(at, at + LARGEST));
    if (file !== undefined && text(file, FILE.name).endsWith('generated.proto')) yield file;
  }
}

function tryRead(bytes: Buffer): Message | undefined {
  try {
    return readMessage(gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }));
  } catch {
    return undefined;
  }
}

function text(message: Message, number: number): string {
  const value = message.get(number)?.[0];
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : '';
}

function int(message: Message, number: number): number {
  return Number(message.get(number)?.[0] ?? 0);
}

function messages(message: Message, number: number): Message[] {
  return (message.get(number) ?? []).filter((value) => value instanceof Uint8Array).map(readMessage);
}

/** `k8s.io.api.core.v1.Pod` -> its descriptor, nested ones included. */
function descriptors(binary: Buffer): Map<string, Message> {
  const found = new Map<string, Message>();
  for (const file of descriptorFiles(binary)) {
    for (const message of messages(file, FILE.messages)) {
      const name = `${text(file, FILE.package)}.${text(message, DESCRIPTOR.name)}`;
      found.set(name, message);
      for (const nested of messages(message, DESCRIPTOR.nested))
        found.set(`${name}.${text(nested, DESCRIPTOR.name)}`, nested);
    }
  }
  return found;
}

function nameOf(field: Message): string {
  const name = text(field, FIELD.name);
  return JSON_NAMES[name] ?? name;
}

function typeText(field: Message, all: Map<string, Message>): string {
  const name = text(field, FIELD.typeName).replace(/^\./, '');
  const entry = all.get(name);
  if (entry !== undefined && messages(entry, DESCRIPTOR.options).length > 0 && name.endsWith('Entry')) {
    const value = messages(entry, DESCRIPTOR.field).find((one) => int(one, FIELD.number) === 2);
    return `{}${value === undefined ? 'string' : typeText(value, all)}`;
  }
  const type = name === '' ? (SCALARS[int(field, FIELD.type)] ?? 'bytes') : name;
  if (INLINE.has(text(field, FIELD.name))) return `^${type}`;
  return int(field, FIELD.label) === REPEATED ? `[]${type}` : type;
}

function collect(roots: readonly string[], all: Map<string, Message>): Record<string, string> {
  const table: Record<string, string> = {};
  const open = [...roots];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const message = all.get(name);
    if (message === undefined || table[name] !== undefined) continue;
    const fields = messages(message, DESCRIPTOR.field).map((field) => ({
      line: `${int(field, FIELD.number)}:${nameOf(field)}=${typeText(field, all)}`,
      type: typeText(field, all).replace(/^(\[\]|\{\}|\^)+/, ''),
    }));
    table[name] = fields.map((field) => field.line).join(' ');
    open.push(...fields.map((field) => field.type));
  }
  return Object.fromEntries(Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `coordination.k8s.io` -> `k8s.io.api.coordination.v1`. */
function packageOf(group: string, version: string): string {
  return `k8s.io.api.${group === '' ? 'core' : (group.split('.')[0] ?? '')}.${version}`;
}

const EXTRA = [
  'k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions',
  'k8s.io.api.policy.v1.Eviction',
  'k8s.io.api.core.v1.Binding',
  'k8s.io.api.authentication.v1.TokenRequest',
  'k8s.io.api.autoscaling.v1.Scale',
];

const binary = readFileSync(process.argv[2] ?? '/usr/bin/kubectl');
// Only Kubernetes' own kinds have a message.
const kinds = KINDS.filter(({ type }) => !(type in OWN_FIELDS));
const roots = [...kinds.map((kind) => `${packageOf(kind.group, kind.version)}.${kind.kind}`), ...EXTRA];
const target = join(import.meta.dirname, '../spec/kinds/schema/protobuf.json');
writeFileSync(target, `${JSON.stringify(collect(roots, descriptors(binary)), null, 2)}\n`);
