/** DEL and GC do what they can: a key that only ADD must refuse does not keep a pod from going. */

import { PolderError } from '#spec/errors.ts';

/** Undefined where the configuration has it wrong. */
export function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof PolderError && error.code === 'cni-config') return undefined;
    throw error;
  }
}
