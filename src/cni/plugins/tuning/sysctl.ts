/** Kernel parameters of the pod: which may be set, and where they are. */

import { readFileSync } from 'node:fs';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { readRe2 } from '#cni/plugins/tuning/re2.ts';
import { PolderError } from '#spec/errors.ts';
import { wrong } from '#wire/cni/json.ts';

/** One regular expression of Go's a line (as later releases of the reference plugin read it); without the file all may be set. */
export const ALLOW_LIST = '/etc/cni/tuning/allowlist.conf';

/** A parameter by its path below /proc/sys, and its value. */
export interface Sysctl {
  readonly path: string;
  readonly value: string;
}

/**
 * Only `net` is the pod's own; everything else is the whole machine's. `IFNAME` stands for the interface.
 * @throws PolderError cni-config (CNI code 7) naming the key.
 */
export function allowedSysctls(call: PluginCall, wanted: ReadonlyMap<string, string>): Sysctl[] {
  if (wanted.size === 0) return [];
  const allowed = readAllowList(call);
  return [...wanted].map(([key, value]) => {
    if (allowed && !allowed.some((pattern) => pattern.test(key))) {
      wrong(`sysctl.${key}`, `is not allowed by ${ALLOW_LIST}`, value);
    }
    return { path: pathOf(key, call.request.ifname), value };
  });
}

function readAllowList(call: PluginCall): RegExp[] | undefined {
  const file = call.caller.seen(ALLOW_LIST);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new PolderError('cni-io', { what: `Cannot read ${ALLOW_LIST}: ${String(error)}` }, { cause: error });
  }
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').flatMap((line) => patternOf(call, line));
}

/** A line that cannot be read allows nothing; the others hold. */
function patternOf({ host }: PluginCall, line: string): RegExp[] {
  const pattern = readRe2(line);
  if (!pattern) host.log.warn({ file: ALLOW_LIST, line }, 'a line of the allow-list is no regular expression');
  return pattern ? [pattern] : [];
}

function pathOf(key: string, ifname: string): string {
  // The name last: it may have a dot of its own.
  const path = key.replaceAll('.', '/').replace('IFNAME', ifname);
  const parts = path.split('/');
  const ok =
    parts[0] === 'net' && parts.length > 1 && parts.every((part) => part !== '' && part !== '.' && part !== '..');
  return ok && !/[\s\0]/.test(path) ? path : wrong(`sysctl.${key}`, 'must be a parameter of the network (net.…)', key);
}

/** What they are now. @throws PolderError kernel-refused naming the first that is not there. */
export function presentSysctls(pod: PodNetns, sysctls: readonly Sysctl[]): Sysctl[] {
  return sysctls.map(({ path }) => ({ path, value: asked(path, () => pod.readSysctl(path)) }));
}

/** @throws PolderError kernel-refused naming the first that cannot be set; those before it are. */
export function setSysctls(pod: PodNetns, sysctls: readonly Sysctl[]): void {
  for (const { path, value } of sysctls) asked(path, () => pod.writeSysctl(path, value));
}

function asked<T>(path: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    throw new PolderError(
      'kernel-refused',
      { command: `sysctl -w ${path}`, reason: reasonOf(error) },
      { cause: error },
    );
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error && 'code' in error)) return String(error);
  return error.code === 'ENOENT' ? 'there is no such parameter' : `${error.code}`;
}

/** As far as they can be: an interface's own go with it. */
export function restoreSysctls(pod: PodNetns, before: readonly Sysctl[]): void {
  for (const { path, value } of before.toReversed()) {
    try {
      pod.writeSysctl(path, value);
    } catch {
      // It is gone with its interface, or can only be written once.
    }
  }
}

export function sysctlDifferences(pod: PodNetns, sysctls: readonly Sysctl[]): string[] {
  return sysctls.flatMap(({ path, value }) => {
    const have = read(pod, path);
    if (have === undefined) return [`${path} is not there`];
    return words(have) === words(value) ? [] : [`${path} is ${words(have)}, not ${words(value)}`];
  });
}

function read(pod: PodNetns, path: string): string | undefined {
  try {
    return pod.readSysctl(path);
  } catch {
    return undefined;
  }
}

/** The kernel parts several values by tabs. */
function words(value: string): string {
  return value.trim().split(/\s+/).join(' ');
}
