import { randomBytes } from 'node:crypto';

/** 64 hex digits, as container runtimes name what they make. */
export function newId(): string {
  return randomBytes(32).toString('hex');
}
