/** Formats of texts that schemas name (OpenAPI v3; apiextensions/v1 JSONSchemaProps `format`). Others are not checked. */
import { readAddr } from '#net/addr.ts';

const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  byte: (text) => /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
  'date-time': (text) =>
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text)),
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)),
  duration: (text) => /^[+-]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+$|^0$/.test(text),
  email: (text) => /^[^@\s]+@[^@\s]+$/.test(text),
  hostname: (text) =>
    text.length <= 253 &&
    /^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*\.?$/.test(text),
  ipv4: (text) => isAddress(text) && !text.includes(':'),
  ipv6: (text) => isAddress(text) && text.includes(':'),
  cidr: (text) => {
    const [address = '', length = '', more] = text.split('/');
    return (
      more === undefined &&
      /^\d{1,3}$/.test(length) &&
      isAddress(address) &&
      Number(length) <= (address.includes(':') ? 128 : 32)
    );
  },
  mac: (text) => /^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$/.test(text),
  uri: (text) => /^[A-Za-z][A-Za-z0-9+.-]*:\S*$|^\/\S*$/.test(text),
  uuid: (text) => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text),
};

function isAddress(text: string): boolean {
  return readAddr(text) !== undefined;
}

/** Whether a text has a format; true for formats that are not known here. */
export function hasFormat(text: string, format: string): boolean {
  return !Object.hasOwn(FORMATS, format) || FORMATS[format]?.(text) !== false;
}
