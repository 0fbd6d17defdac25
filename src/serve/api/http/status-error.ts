/** Failures as Kubernetes says them: a `Status` object (API conventions §Response Status Kind). */

import type { JsonObject } from '#spec/kinds/json.ts';
import type { FieldError } from '#spec/kinds/kind.ts';

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly { readonly reason: string; readonly message: string; readonly field?: string }[];
  readonly retryAfterSeconds?: number;
}

/** An answer that is not the asked-for object. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  /** A list goes on with this token. */
  readonly continueToken: string;

  constructor(code: number, reason: string, message: string, details?: StatusDetails, continueToken = '') {
    super(message);
    this.continueToken = continueToken;
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  /** The `Status` object. */
  body(): JsonObject {
    const status: JsonObject = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.continueToken === '' ? {} : { continue: this.continueToken },
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      code: this.code,
    };
    if (this.details !== undefined) status.details = JSON.parse(JSON.stringify(this.details));
    return status;
  }
}

interface Named {
  readonly group: string;
  readonly plural: string;
}

function qualified(row: Named): string {
  return row.group === '' ? row.plural : `${row.plural}.${row.group}`;
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

export function notFound(row: Named, name: string): StatusError {
  const details = { name, kind: row.plural, ...(row.group === '' ? {} : { group: row.group }) };
  return new StatusError(404, 'NotFound', `${qualified(row)} "${name}" not found`, details);
}

/** For paths that lead to nothing that is served. */
export function noSuchPath(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource');
}

export function alreadyExists(row: Named, name: string): StatusError {
  const details = { name, kind: row.plural, ...(row.group === '' ? {} : { group: row.group }) };
  return new StatusError(409, 'AlreadyExists', `${qualified(row)} "${name}" already exists`, details);
}

export function conflict(row: Named, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${qualified(row)} "${name}": ${why}`;
  return new StatusError(409, 'Conflict', message, {
    name,
    kind: row.plural,
    ...(row.group === '' ? {} : { group: row.group }),
  });
}

export const MODIFIED_MEANWHILE =
  'the object has been modified; please apply your changes to the latest version and try again';

/** 422 with a cause for each faulty field. */
export function invalidObject(
  row: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): StatusError {
  const said = errors.map((error) => (error.field === '' ? error.message : `${error.field}: ${error.message}`));
  const kind = row.group === '' ? row.kind : `${row.kind}.${row.group}`;
  const list = said.length === 1 ? said[0] : `[${said.join(', ')}]`;
  return new StatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${list}`, {
    name,
    kind: row.kind,
    ...(row.group === '' ? {} : { group: row.group }),
    causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
  });
}

export function forbiddenTo(row: Named, name: string, why: string): StatusError {
  const details = { name, kind: row.plural, ...(row.group === '' ? {} : { group: row.group }) };
  return new StatusError(403, 'Forbidden', `${qualified(row)} "${name}" is forbidden: ${why}`, details);
}

export function unauthorized(): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized');
}

/** 410: what a client asks to resume from is compacted; it must list anew. */
export function expired(message: string, continueToken = ''): StatusError {
  return new StatusError(410, 'Expired', message, undefined, continueToken);
}

export function methodNotAllowed(): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
}

export function notAcceptable(offered: readonly string[]): StatusError {
  const message = `only the following media types are accepted: ${offered.join(', ')}`;
  return new StatusError(406, 'NotAcceptable', message);
}

export function unsupportedMediaType(given: string, accepted: readonly string[]): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`;
  return new StatusError(415, 'UnsupportedMediaType', given === '' ? message : `${message} (it was ${given})`);
}

export function tooLarge(limit: number): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limit}`);
}

export function internalError(what: string): StatusError {
  return new StatusError(500, 'InternalError', `Internal error occurred: ${what}`, {
    causes: [{ reason: 'UnexpectedServerResponse', message: what }],
  });
}

/** As the real server says that it has not seen a revision yet; clients try again. */
export function tooLargeRevision(asked: number, current: number): StatusError {
  return new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}
