/** What the client wants to read: plain objects, a Table to print, or their metadata alone. */
import { notAcceptable } from '#serve/api/http/status-error.ts';

export interface Wanted {
  readonly as: 'object' | 'Table' | 'PartialObjectMetadata';
  /** Version of meta.k8s.io for Table and PartialObjectMetadata. */
  readonly metaVersion: 'v1' | 'v1beta1';
  readonly format: 'json' | 'yaml';
}

const PLAIN: Wanted = { as: 'object', metaVersion: 'v1', format: 'json' };
const OFFERED = ['application/json', 'application/yaml'];

/**
 * Picks the first media type of the Accept header that is served. Protobuf is not; clients that ask for it name JSON
 * as their second choice.
 * @throws StatusError 406
 */
export function wantedOf(accept: string | undefined): Wanted {
  if (accept === undefined || accept.trim() === '') return PLAIN;
  for (const part of accept.split(',')) {
    const wanted = readMediaType(part);
    if (wanted !== undefined) return wanted;
  }
  throw notAcceptable(OFFERED);
}

function readMediaType(part: string): Wanted | undefined {
  const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim());
  const format = formatOf(type.toLowerCase());
  if (format === undefined) return undefined;
  const values = new Map(parameters.map((parameter) => splitParameter(parameter)));
  const as = values.get('as');
  if (as === undefined) return { ...PLAIN, format };
  const version = values.get('v');
  if (values.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  if (as === 'Table') return { as, metaVersion: version, format };
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') {
    return { as: 'PartialObjectMetadata', metaVersion: version, format };
  }
  return undefined;
}

function formatOf(type: string): Wanted['format'] | undefined {
  if (type === 'application/json' || type === '*/*' || type === 'application/*') return 'json';
  return type === 'application/yaml' ? 'yaml' : undefined;
}

function splitParameter(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}
