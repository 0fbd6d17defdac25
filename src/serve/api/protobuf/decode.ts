/**
 * Objects that clients send as `application/vnd.kubernetes.protobuf`, as the JSON that they would have sent: an envelope
 * (magic `k8s\0`, then runtime.Unknown) around the message of the kind (Kubernetes "API concepts" §Protobuf encoding).
 *
 * Go writes fields without a value as zeros, which JSON leaves out: empty texts and, where zero means "not given", zero
 * numbers are dropped here too.
 */
import { type Message, readMessage, type WireValue } from '#serve/api/protobuf/wire.ts';
import { isObject, type Json, type JsonObject } from '#spec/kinds/json.ts';
import { messageNameOf, type WireField, wireFieldsOf } from '#spec/kinds/schema/protobuf.ts';

const MAGIC = [0x6b, 0x38, 0x73, 0x00];
const META = 'k8s.io.apimachinery.pkg.apis.meta.v1.';
const DEEPEST = 60;

/** Numbers that mean something when they are zero; in all other fields zero is "not given". */
const MEANINGFUL_ZERO = new Set([
  'terminationGracePeriodSeconds',
  'gracePeriodSeconds',
  'replicas',
  'runAsUser',
  'runAsGroup',
  'fsGroup',
  'revisionHistoryLimit',
  'tolerationSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'parallelism',
  'completions',
  'maxUnavailable',
  'maxSurge',
  'exitCode',
  'value',
  'partition',
  'successfulJobsHistoryLimit',
  'failedJobsHistoryLimit',
  'startingDeadlineSeconds',
]);

/**
 * @returns the object with its apiVersion and kind
 * @throws SyntaxError when the bytes are no such object, or one of a kind that is not served
 */
export function decodeProtobuf(bytes: Uint8Array): JsonObject {
  if (!MAGIC.every((byte, index) => bytes[index] === byte))
    throw new SyntaxError('Cannot read protobuf: it does not begin with k8s\\0');
  const unknown = readMessage(bytes.subarray(MAGIC.length));
  const type = readMessage(bytesAt(unknown, 1));
  const [apiVersion, kind] = [textOf(bytesAt(type, 1)), textOf(bytesAt(type, 2))];
  const name = messageNameOf(apiVersion, kind);
  if (name === undefined) throw new SyntaxError(`Cannot read protobuf of ${apiVersion} ${kind}: send JSON`);
  return { apiVersion, kind, ...decodeMessage(readMessage(bytesAt(unknown, 2)), name, 0) };
}

function bytesAt(message: Message, number: number): Uint8Array {
  const value = message.get(number)?.at(-1);
  return value instanceof Uint8Array ? value : new Uint8Array();
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

function decodeMessage(message: Message, type: string, depth: number): JsonObject {
  if (depth > DEEPEST) throw new SyntaxError('Cannot read protobuf: messages are nested too deep');
  const object: JsonObject = {};
  for (const [number, values] of message) {
    const field = wireFieldsOf(type)?.get(number);
    if (field !== undefined) decodeField(object, field, values, depth);
  }
  return object;
}

function decodeField(object: JsonObject, field: WireField, values: readonly WireValue[], depth: number): void {
  const last = values.at(-1);
  if (last === undefined) return;
  switch (field.form) {
    case 'list':
      object[field.name] = values
        .flatMap((value) => unpack(value, field))
        .map((value) => decodeValue(value, field.type, depth) ?? '');
      return;
    case 'map':
      object[field.name] = decodeMap(values, field, depth);
      return;
    case 'inline': {
      const inner = decodeValue(last, field.type, depth);
      if (isObject(inner)) Object.assign(object, inner);
      return;
    }
    case 'one': {
      const value = decodeValue(last, field.type, depth);
      if (value !== undefined && !isUnset(value, field)) object[field.name] = value;
    }
  }
}

/** Kubernetes writes lists of numbers unpacked; a packed one is a message of varints that nobody sends. */
function unpack(value: WireValue, field: WireField): WireValue[] {
  if (typeof value === 'bigint' || !['int32', 'int64', 'bool'].includes(field.type)) return [value];
  throw new SyntaxError(`Cannot read protobuf: ${field.name} is packed`);
}

function isUnset(value: Json, field: WireField): boolean {
  return value === '' || (value === 0 && !MEANINGFUL_ZERO.has(field.name));
}

/** Entries are messages of key (1) and value (2). */
function decodeMap(entries: readonly WireValue[], field: WireField, depth: number): JsonObject {
  const map: JsonObject = {};
  for (const entry of entries) {
    if (!(entry instanceof Uint8Array)) continue;
    const message = readMessage(entry);
    const value = message.get(2)?.at(-1) ?? new Uint8Array();
    map[textOf(bytesAt(message, 1))] = decodeValue(value, field.type, depth) ?? '';
  }
  return map;
}

function decodeValue(value: WireValue, type: string, depth: number): Json | undefined {
  if (typeof value === 'bigint') return type === 'bool' ? value !== 0n : Number(value);
  switch (type) {
    case 'string':
      return textOf(value);
    case 'bytes':
      return Buffer.from(value).toString('base64');
    case `${META}Time`:
    case `${META}MicroTime`:
      return decodeTime(readMessage(value), type.endsWith('MicroTime'));
    case `${META}FieldsV1`:
      return {};
    case 'k8s.io.apimachinery.pkg.api.resource.Quantity':
      return textOf(bytesAt(readMessage(value), 1));
    case 'k8s.io.apimachinery.pkg.util.intstr.IntOrString':
      return decodeIntOrString(readMessage(value));
    default:
      return decodeMessage(readMessage(value), type, depth + 1);
  }
}

function numberOf(message: Message, number: number): number {
  const value = message.get(number)?.at(-1);
  return typeof value === 'bigint' ? Number(value) : 0;
}

/** A message without a field is the zero time, which JSON does not have. */
function decodeTime(message: Message, micro: boolean): Json | undefined {
  if (message.size === 0) return undefined;
  const milliseconds = numberOf(message, 1) * 1000;
  if (!Number.isFinite(milliseconds) || Math.abs(milliseconds) > 8.64e15)
    throw new SyntaxError('Cannot read protobuf: a time is out of range');
  const text = new Date(milliseconds).toISOString().slice(0, 19);
  const micros = Math.floor(numberOf(message, 2) / 1000);
  return micro ? `${text}.${String(micros).padStart(6, '0')}Z` : `${text}Z`;
}

/** Type 1 is a text, 0 a number. */
function decodeIntOrString(message: Message): Json {
  return numberOf(message, 1) === 1 ? textOf(bytesAt(message, 3)) : numberOf(message, 2);
}
