/** URLs in CEL (Kubernetes CEL library `url`): an absolute URI or an absolute path, read as Go's `url.ParseRequestURI` reads it. */
import type { Environment } from '@marcbachmann/cel-js';

export class Url {
  readonly scheme: string;
  /** With the port. */
  readonly host: string;
  readonly path: string;
  readonly query: string;

  constructor(scheme: string, host: string, path: string, query: string) {
    this.scheme = scheme;
    this.host = host;
    this.path = path;
    this.query = query;
  }
}

export function addUrls(to: Environment): void {
  to.registerType('URL', { ctor: Url, fields: {} })
    .registerFunction('url(string): URL', urlOf)
    .registerFunction('isURL(string): bool', (text: string) => readUrl(text) !== undefined)
    .registerFunction('URL.getScheme(): string', ({ scheme }: Url) => scheme)
    .registerFunction('URL.getHost(): string', ({ host }: Url) => host)
    .registerFunction('URL.getHostname(): string', ({ host }: Url) =>
      host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1'),
    )
    .registerFunction('URL.getPort(): string', ({ host }: Url) => /:(\d*)$/.exec(host)?.[1] ?? '')
    .registerFunction('URL.getEscapedPath(): string', ({ path }: Url) => escaped(path))
    .registerFunction('URL.getQuery(): map', ({ query }: Url) => queryOf(query))
    .registerOperator('URL == URL', (a: Url, b: Url) => JSON.stringify(a) === JSON.stringify(b));
}

function urlOf(text: string): Url {
  const url = readUrl(text);
  if (url === undefined)
    throw new SyntaxError(
      `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
    );
  return url;
}

const ESCAPES = /%(?![0-9A-Fa-f]{2})/;

/** Undefined if it is none. */
export function readUrl(text: string): Url | undefined {
  if (text === '' || [...text].some((char) => char < ' ' || char === '\x7f')) return undefined;
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1];
  const rest = scheme === undefined ? text : text.slice(scheme.length + 1);
  const at = rest.indexOf('?');
  const [whole, query] = at < 0 ? [rest, ''] : [rest.slice(0, at), rest.slice(at + 1)];
  if (scheme === undefined && !whole.startsWith('/')) return undefined;
  // A path that begins otherwise is opaque: `mailto:somebody`.
  if (!whole.startsWith('/')) return new Url(scheme?.toLowerCase() ?? '', '', '', query);
  if (scheme === undefined || !whole.startsWith('//'))
    return ESCAPES.test(whole) ? undefined : new Url(scheme?.toLowerCase() ?? '', '', whole, query);
  return withAuthority(scheme, whole.slice(2), query);
}

function withAuthority(scheme: string, rest: string, query: string): Url | undefined {
  const slash = rest.indexOf('/');
  const [authority, path] = slash < 0 ? [rest, ''] : [rest.slice(0, slash), rest.slice(slash)];
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (!isHost(host) || ESCAPES.test(path)) return undefined;
  return new Url(scheme.toLowerCase(), host, path, query);
}

/** A name, an IPv4 address or one of IPv6 in brackets, and a port. */
function isHost(host: string): boolean {
  if (host.startsWith('[')) return /^\[[0-9A-Fa-f:.]+(%25[^\]]*)?\](:\d*)?$/.test(host);
  return /^[^\s\\^`{|}%[\]:#]*(:\d*)?$/.test(host);
}

/** Escapes what cannot stand in a path, and leaves what is escaped. */
function escaped(path: string): string {
  return path.replace(/%(?![0-9A-Fa-f]{2})|[^%A-Za-z0-9\-_.~$&+,/:;=@!'()*[\]]/gu, encodeURIComponent);
}

function queryOf(query: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const [key, value] of new URLSearchParams(query)) found[key] = [...(found[key] ?? []), value];
  return found;
}
