/** Image names as people write them, brought to one form. */

export interface ImageReference {
  /** `docker.io` where nobody says. */
  readonly registry: string;
  /** With `library/` for Docker Hub's own: `library/nginx`, `nicolaka/netshoot`. */
  readonly repository: string;
  /** `latest` where there is neither tag nor digest. */
  readonly tag?: string;
  /** `sha256:…`. */
  readonly digest?: string;
}

// The grammar of distribution/reference: path components, tag, digest.
const PATH = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const REGISTRY = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d+)?$/;

/** Reads `nginx`, `nginx:1.25`, `docker.io/library/nginx@sha256:…`, `localhost:5000/a/b`. Undefined if it is none. */
export function readImageReference(text: string): ImageReference | undefined {
  const [named = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest))) return undefined;
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const tag = hasTag ? named.slice(colon + 1) : digest === undefined ? 'latest' : undefined;
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  const place = placeOf(hasTag ? named.slice(0, colon) : named);
  if (place === undefined) return undefined;
  return { ...place, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** A first part with a dot or a port, or `localhost`, is a registry; all else is Docker Hub's. */
function placeOf(name: string): Pick<ImageReference, 'registry' | 'repository'> | undefined {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasRegistry = /[.:]/.test(first) || first === 'localhost';
  const registry = !hasRegistry || first === 'index.docker.io' ? 'docker.io' : first;
  const path = hasRegistry ? name.slice(slash + 1) : name;
  if (!PATH.test(path) || !REGISTRY.test(registry)) return undefined;
  return { registry, repository: registry === 'docker.io' && !path.includes('/') ? `library/${path}` : path };
}

/** `docker.io/library/nginx:latest`. */
export function imageReferenceText(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.registry}/${reference.repository}${tag}${digest}`;
}
