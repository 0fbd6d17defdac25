/** What a request asks for, from its method and path (Kubernetes API reference, "API concepts" §Resource URIs). */

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

export interface ResourceRequest {
  readonly verb: Verb;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  /** Plural, as in the path. */
  readonly plural: string;
  readonly name: string;
  readonly subresource: string;
  /** What follows the subresource. */
  readonly rest: readonly string[];
}

/** Undefined when the path does not lead to a resource (discovery, health, …). */
export function resourceRequestOf(method: string, url: URL): ResourceRequest | undefined {
  const parts = url.pathname.split('/').filter(Boolean).map(decodePart);
  const [root, first, second] = parts;
  if (root === 'api' && first !== undefined && parts.length > 2)
    return requestIn('', first, parts.slice(2), method, url);
  if (root === 'apis' && first !== undefined && second !== undefined && parts.length > 3) {
    return requestIn(first, second, parts.slice(3), method, url);
  }
  return undefined;
}

/** A part that is no valid percent-encoding stays as it is: no such resource exists. */
function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

function requestIn(
  group: string,
  version: string,
  parts: readonly string[],
  method: string,
  url: URL,
): ResourceRequest {
  const inNamespace =
    parts[0] === 'namespaces' &&
    parts.length > 2 &&
    !(parts.length === 3 && NAMESPACE_SUBRESOURCES.has(parts[2] ?? ''));
  const [plural = '', name = '', subresource = '', ...rest] = inNamespace ? parts.slice(2) : parts;
  const namespace = inNamespace ? (parts[1] ?? '') : '';
  const verb = verbOf(method, name, url);
  return { verb, group, version, namespace, plural, name: name || selectedName(verb, url), subresource, rest };
}

/** A list or watch of one object by `metadata.name=x` is for that object: roles may allow it by its name. */
function selectedName(verb: Verb, url: URL): string {
  if (verb !== 'list' && verb !== 'watch' && verb !== 'deletecollection') return '';
  const found = /(?:^|,)metadata\.name==?([^,\\=!]+)(?:,|$)/.exec(url.searchParams.get('fieldSelector') ?? '');
  return found?.[1] ?? '';
}

function verbOf(method: string, name: string, url: URL): Verb {
  switch (method) {
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === '' ? 'deletecollection' : 'delete';
    default:
      if (name !== '') return 'get';
      return isTrue(url.searchParams.get('watch')) ? 'watch' : 'list';
  }
}

/** A flag of the query as apimachinery reads it: there and neither 0 nor false. Python's client says `True`. */
export function isTrue(text: string | null): boolean {
  return text !== null && text !== '0' && text.toLowerCase() !== 'false';
}
