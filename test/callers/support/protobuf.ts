/** Protobuf messages as plain objects, by a table of their fields: as much of it as the CRI's messages need. */

import { type Message, readMessage, type WireValue } from '#serve/api/protobuf/wire.ts';

/** A field's type; `[type]` is repeated, `map` is of texts to texts, an object is a message. */
export type FieldType = 'text' | 'number' | 'bool' | 'map' | Fields | readonly [FieldType];

/** Number and type of each field, by its name. */
export interface Fields {
  readonly [name: string]: readonly [number: number, type: FieldType];
}

export type Value = string | number | boolean | readonly Value[] | { readonly [name: string]: Value | undefined };
export type Values = { readonly [name: string]: Value | undefined };

const ENTRY: Fields = { key: [1, 'text'], value: [2, 'text'] };

export function encode(fields: Fields, values: Values): Uint8Array {
  const parts = Object.entries(values).flatMap(([name, value]) => {
    const field = fields[name];
    if (field === undefined) throw new TypeError(`Cannot encode ${name}: the message has no such field`);
    return value === undefined ? [] : [encodeField(field[0], field[1], value)];
  });
  return Buffer.concat(parts);
}

function encodeField(number: number, type: FieldType, value: Value): Uint8Array {
  if (isRepeated(type)) {
    return Buffer.concat((value as readonly Value[]).map((item) => encodeField(number, type[0], item)));
  }
  if (type === 'map') {
    return encodeField(
      number,
      [ENTRY],
      Object.entries(value).map(([key, text]) => ({ key, value: String(text) })),
    );
  }
  if (type === 'number' || type === 'bool') return Buffer.concat([varint(number * 8), varint(Number(value))]);
  const bytes = type === 'text' ? Buffer.from(String(value)) : encode(type, value as Values);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Uint8Array.from([...bytes, rest]);
}

/** Fields that the table does not name are left out; those that did not come have their type's empty value. */
export function decode(fields: Fields, bytes: Uint8Array): Record<string, Value> {
  const message: Message = readMessage(bytes);
  return Object.fromEntries(
    Object.entries(fields).map(([name, [number, type]]) => [name, decodeField(type, message.get(number) ?? [])]),
  );
}

function decodeField(type: FieldType, values: readonly WireValue[]): Value {
  if (isRepeated(type)) return values.map((value) => decodeField(type[0], [value]));
  if (type === 'map') {
    return Object.fromEntries(values.map((value) => decode(ENTRY, bytesOf(value))).map((e) => [e.key, e.value ?? '']));
  }
  const last = values.at(-1);
  if (type === 'number') return Number(last ?? 0);
  if (type === 'bool') return last === 1n;
  if (type === 'text') return Buffer.from(bytesOf(last)).toString();
  return decode(type, bytesOf(last));
}

function isRepeated(type: FieldType): type is readonly [FieldType] {
  return Array.isArray(type);
}

function bytesOf(value: WireValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array();
}
