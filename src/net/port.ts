/** Transport ports. */

declare const portBrand: unique symbol;
/** 1 to 65535. */
export type Port = number & { readonly [portBrand]: true };

/** Undefined unless it is a whole number from 1 to 65535. */
export function readPort(value: number | string): Port | undefined {
  const n = typeof value === 'string' && /^[1-9]\d{0,4}$/.test(value) ? Number(value) : value;
  return typeof n === 'number' && Number.isInteger(n) && n >= 1 && n <= 65535 ? (n as Port) : undefined;
}

/** @throws RangeError unless it is a whole number from 1 to 65535. */
export function parsePort(value: number | string): Port {
  const port = readPort(value);
  if (port === undefined) throw new RangeError(`Cannot use ${value} as a port: it is a whole number from 1 to 65535`);
  return port;
}
