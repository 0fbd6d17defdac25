/** A case, and what those who list the cases of a plugin know of it. */

import type { Descriptor, Feature } from '#cni/conformance/descriptor.ts';
import type { Trial } from '#cni/conformance/trial.ts';

export interface Case {
  /** Below the plugin's name: `add.twice`. */
  readonly id: string;
  readonly about: string;
  /** CNI version to speak, if not the newest that the plugin has. */
  readonly version?: string;
  readonly needs?: readonly Feature[];
  /** Why it cannot be tried with this plugin. */
  readonly skip?: string;
  /** It holds if this returns. @throws Unmet, NotHere */
  run(trial: Trial): Promise<void>;
}

/** What is known of a plugin before its cases are listed. */
export interface Facts {
  readonly subject: Descriptor;
  /** What VERSION answered, oldest first; empty if it answered nothing that can be read. */
  readonly supported: readonly string[];
  /** The newest of them that the suite knows. */
  readonly newest: string;
  readonly has: (version: string) => boolean;
}

/** Versions of the specification that were released. */
export const RELEASED = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

/** True if `version` is that old or newer; both are released ones. */
export function since(version: string, least: (typeof RELEASED)[number]): boolean {
  return (RELEASED as readonly string[]).indexOf(version) >= RELEASED.indexOf(least);
}
