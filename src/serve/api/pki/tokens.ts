/**
 * Bearer tokens: JSON Web Tokens (RFC 7519) signed with the cluster's ServiceAccount key (ES256, RFC 7518 §3.4). They
 * carry the user's name and groups, so the server needs no list of them and knows them again after a restart.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { hasPkiFile, makePkiDir, readPkiFile, writePkiFile } from '#serve/api/pki/files.ts';
import { at, isObject, type Json, type JsonObject, numberAt, objectAt, textAt, textsAt } from '#spec/kinds/json.ts';

export const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const GROUPS_CLAIM = 'polder.dev/groups';

export interface User {
  readonly name: string;
  readonly groups: readonly string[];
  /** Objects that the user's token ends with. */
  readonly bound?: readonly BoundObject[];
}

/** What a token is bound to: it counts as long as there is this very object. */
export interface BoundObject {
  /** `serviceaccounts`, `pods`, `secrets`, `nodes`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** What a token says beside its user. */
export interface TokenClaims {
  /** Seconds since the epoch; undefined: never. */
  readonly expires?: number;
  readonly audiences?: readonly string[];
  /** More claims, such as `kubernetes.io` of ServiceAccount tokens. */
  readonly more?: Readonly<Record<string, Json>>;
}

/** Makes the key that signs tokens, unless there is one. */
export function ensureTokenKey(dataDir: string): void {
  if (hasPkiFile(dataDir, 'sa.key') && hasPkiFile(dataDir, 'sa.pub')) return;
  makePkiDir(dataDir);
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writePkiFile(dataDir, 'sa.key', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  writePkiFile(dataDir, 'sa.pub', publicKey.export({ type: 'spki', format: 'pem' }).toString());
}

function encode(value: Json): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Makes tokens of a cluster. */
export class TokenIssuer {
  readonly #key: KeyObject;

  /** @throws when the data directory has no token key (`ensureTokenKey`) */
  constructor(dataDir: string) {
    this.#key = createPrivateKey(readPkiFile(dataDir, 'sa.key'));
  }

  issue(user: User, now: number, claims: TokenClaims = {}): string {
    const payload = {
      iss: ISSUER,
      sub: user.name,
      iat: Math.floor(now / 1000),
      aud: [...(claims.audiences ?? [ISSUER])],
      [GROUPS_CLAIM]: [...user.groups],
      ...claims.more,
      ...(claims.expires === undefined ? {} : { exp: claims.expires }),
    };
    const text = `${encode({ alg: 'ES256', typ: 'JWT' })}.${encode(payload)}`;
    const signature = sign('sha256', Buffer.from(text), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  }
}

interface Known {
  readonly user: User;
  readonly claims: Json;
  readonly expires: number;
}

/** More tokens than a cluster has in use at a time; older ones are verified anew. */
const REMEMBERED = 1000;

/** Recognises tokens of a cluster; a token's signature is checked once. */
export class TokenVerifier {
  readonly #key: KeyObject;
  readonly #known = new Map<string, Known>();

  constructor(dataDir: string) {
    this.#key = createPublicKey(readPkiFile(dataDir, 'sa.pub'));
  }

  /** The user of a token, undefined when it is not valid now. `now` is in milliseconds. */
  verify(token: string, now: number): User | undefined {
    const known = this.#known.get(token) ?? this.#read(token);
    return known !== undefined && known.expires * 1000 > now ? known.user : undefined;
  }

  #read(token: string): Known | undefined {
    const [header = '', payload = '', signature = '', more] = token.split('.');
    if (more !== undefined || signature === '') return undefined;
    const text = Buffer.from(`${header}.${payload}`);
    const options = { key: this.#key, dsaEncoding: 'ieee-p1363' } as const;
    if (!verify('sha256', text, options, Buffer.from(signature, 'base64url'))) return undefined;
    const known = readClaims(payload);
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    if (known !== undefined) this.#known.set(token, known);
    return known;
  }
}

function readClaims(payload: string): Known | undefined {
  const claims: Json = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  if (!isObject(claims) || at(claims, 'sub') === undefined) return undefined;
  // A token for somebody else's ears is none here.
  if (!textsAt(claims, 'aud').includes(ISSUER)) return undefined;
  const bound = boundObjects(objectAt(claims, 'kubernetes.io'));
  const user = { name: textAt(claims, 'sub'), groups: textsAt(claims, GROUPS_CLAIM), bound };
  return { user, claims, expires: numberAt(claims, 'exp') ?? Number.POSITIVE_INFINITY };
}

const BOUND: Readonly<Record<string, string>> = { serviceaccount: 'serviceaccounts', pod: 'pods', secret: 'secrets' };

/** The claim `kubernetes.io` of a ServiceAccount's token. */
function boundObjects(claim: JsonObject): BoundObject[] {
  const namespace = textAt(claim, 'namespace');
  return Object.entries(BOUND).flatMap(([key, resource]) => {
    const [name, uid] = [textAt(claim, key, 'name'), textAt(claim, key, 'uid')];
    return name === '' ? [] : [{ resource, namespace, name, uid }];
  });
}
