/** Versions of the CNI specification that Polder speaks. */

import { PolderError } from '#spec/errors.ts';

/** Oldest first. */
export const SPEC_VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type SpecVersion = (typeof SPEC_VERSIONS)[number];

export const NEWEST: SpecVersion = '1.1.0';

export function isSpecVersion(text: string): text is SpecVersion {
  return (SPEC_VERSIONS as readonly string[]).includes(text);
}

/** @throws PolderError cni-version (CNI code 1). */
export function needSpecVersion(text: string, plugin: string): SpecVersion {
  if (isSpecVersion(text)) return text;
  throw new PolderError('cni-version', { version: text || '(none)', plugin, supported: SPEC_VERSIONS.join(', ') });
}

/** True if `version` is `least` or came after it. */
export function atLeast(version: SpecVersion, least: SpecVersion): boolean {
  return SPEC_VERSIONS.indexOf(version) >= SPEC_VERSIONS.indexOf(least);
}

/** The answer to VERSION (CNI spec 1.1.0, "VERSION Success"). */
export function versionReply(asked: string | undefined): { cniVersion: string; supportedVersions: string[] } {
  return { cniVersion: asked && isSpecVersion(asked) ? asked : NEWEST, supportedVersions: [...SPEC_VERSIONS] };
}
