/** The error object that a plugin prints (CNI spec 1.1.0, "Error"). */

import { PolderError } from '#spec/errors.ts';
import { isObject, lookup } from '#wire/cni/json.ts';

export interface CniErrorObject {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** Spec codes that callers branch on. */
export const TRY_AGAIN_LATER = 11;
export const NOT_AVAILABLE = 50;
export const INTERNAL = 999;

/** What went wrong, as the specification's error: the registry's code and what to do about it as details. */
export function toErrorObject(error: unknown, cniVersion: string): CniErrorObject {
  if (error instanceof PolderError) {
    // A plugin that was called by this one said its own code.
    const code = error.row.cni ?? (typeof error.details.cniCode === 'number' ? error.details.cniCode : INTERNAL);
    return { cniVersion, code, msg: error.message, details: error.todo };
  }
  return { cniVersion, code: INTERNAL, msg: error instanceof Error ? error.message : String(error) };
}

/** Reads a plugin's standard output as an error object; undefined if it is none. */
export function readErrorObject(value: unknown): CniErrorObject | undefined {
  if (!isObject(value)) return undefined;
  const code = lookup(value, 'code');
  if (typeof code !== 'number') return undefined;
  const words = (key: string) => {
    const text = lookup(value, key);
    return typeof text === 'string' ? text : '';
  };
  const details = words('details');
  return { cniVersion: words('cniVersion'), code, msg: words('msg'), ...(details !== '' && { details }) };
}
