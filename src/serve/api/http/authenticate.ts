/** Who a request comes from: a client certificate of the cluster's CA, or a bearer token. */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { TokenVerifier, User } from '#serve/api/pki/tokens.ts';

/** Browsers put a token into a WebSocket subprotocol (Kubernetes "WebSocket bearer token"). */
const TOKEN_PROTOCOL = 'base64url.bearer.authorization.k8s.io.';

const byConnection = new WeakMap<TLSSocket, User | 'anonymous'>();

/** The user, undefined when the request carries no valid credential. `now` in milliseconds. */
export function authenticate(request: IncomingMessage, tokens: TokenVerifier, now: number): User | undefined {
  const token = bearerToken(request);
  if (token !== undefined) return verifyToken(token, tokens, now);
  return certificateUser(request);
}

function verifyToken(token: string, tokens: TokenVerifier, now: number): User | undefined {
  try {
    return tokens.verify(token, now);
  } catch {
    // What cannot be read is not a token.
    return undefined;
  }
}

function bearerToken(request: IncomingMessage): string | undefined {
  const header = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (header !== undefined) return header;
  const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
  const found = protocols.find((one) => one.startsWith(TOKEN_PROTOCOL));
  return found === undefined
    ? undefined
    : Buffer.from(found.slice(TOKEN_PROTOCOL.length), 'base64url').toString('utf8');
}

/** A connection's certificate is looked at once. */
function certificateUser(request: IncomingMessage): User | undefined {
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) return undefined;
  const known = byConnection.get(socket) ?? readCertificate(socket);
  byConnection.set(socket, known);
  return known === 'anonymous' ? undefined : known;
}

function readCertificate(socket: TLSSocket): User | 'anonymous' {
  if (!socket.authorized) return 'anonymous';
  const { subject } = socket.getPeerCertificate();
  const name = [subject?.CN ?? ''].flat()[0] ?? '';
  if (name === '') return 'anonymous';
  // Several O are one list; one O is a text.
  const organizations = [subject?.O ?? []].flat();
  return { name, groups: [...organizations, 'system:authenticated'] };
}
