/** Writing the protobuf wire format: the few forms that are needed. */

/** A field of bytes: a text, or a message made of fields. Nothing for undefined. */
export function bytesField(number: number, value: string | Uint8Array | undefined): Uint8Array {
  if (value === undefined) return new Uint8Array();
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

export function boolField(number: number, value: boolean): Uint8Array {
  return value ? Buffer.concat([varint(number * 8), varint(1)]) : new Uint8Array();
}

export function message(...fields: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
