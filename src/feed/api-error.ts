/** Failures of a talk with the API, told apart by type and code, never by English text. */

import type { Status } from '#spec/k8s.ts';

/** The API server answered and refused. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status, or the code inside a watch's ERROR event. */
  readonly code: number;
  /** metav1.Status reason: 'NotFound', 'AlreadyExists', 'Conflict', 'Expired', … */
  readonly reason: string;
  readonly status: Status;

  constructor(request: string, status: Status) {
    super(`${request}: ${status.message ?? status.reason ?? `HTTP ${status.code ?? 0}`}`);
    this.code = status.code ?? 0;
    this.reason = status.reason ?? '';
    this.status = status;
  }
}

/** The API server did not answer, or not to the end: refused, reset, timed out, cut off. */
export class ApiUnreachable extends Error {
  override readonly name = 'ApiUnreachable';

  constructor(request: string, cause: unknown) {
    super(`${request}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404;
}

/** An object of that name is there already (409 AlreadyExists). */
export function isAlreadyExists(error: unknown): boolean {
  return error instanceof ApiError && error.code === 409 && error.reason === 'AlreadyExists';
}

/** Somebody wrote first (409 Conflict): read again and decide again. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.code === 409 && error.reason !== 'AlreadyExists';
}

/** The server could not now: too many requests (429), or a fault of its own (5xx). */
export function isBusy(error: unknown): boolean {
  return error instanceof ApiError && (error.code === 429 || error.code >= 500);
}

/** The resource version is older than the server's history (410 Gone / Expired): list again. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && (error.code === 410 || error.reason === 'Expired' || error.reason === 'Gone');
}
