/** What a plugin answered, and what of it must hold whatever the plugin. */

import type { Ran } from '#cni/conformance/exec.ts';
import { brief, need } from '#cni/conformance/outcome.ts';
import { isObject, type JsonObject } from '#wire/cni/json.ts';

export interface Answer extends Ran {
  /** The call, as a person would write it. */
  readonly call: string;
  /** Standard output, if it is one JSON object. */
  readonly json: JsonObject | undefined;
}

export function answerOf(call: string, ran: Ran): Answer {
  return { ...ran, call, json: objectOf(ran.stdout) };
}

function objectOf(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function shown(answer: Answer): string {
  const end = answer.late ? 'did not end in time' : `exit status ${answer.exit ?? 'none (killed)'}`;
  const said = answer.stdout.trim() === '' ? 'nothing on standard output' : answer.stdout.trim();
  const also = answer.stderr.trim() === '' ? '' : `; on standard error: ${answer.stderr.trim().slice(0, 200)}`;
  return brief(`${answer.call}: ${end}, ${said}${also}`);
}

/** Exit status 0; what it printed is not looked at. */
export function succeeded(answer: Answer): Answer {
  need(answer.exit === 0, `${answer.call} to succeed`, () => shown(answer));
  return answer;
}

/** Exit status 0 and nothing but one JSON object. @returns it */
export function printed(answer: Answer): JsonObject {
  succeeded(answer);
  need(answer.json !== undefined, 'one JSON object on standard output, and nothing else', () => shown(answer));
  return answer.json;
}

/**
 * Exit status other than 0 and the error object of CNI spec §"Error", with one of these codes, if any are given.
 * That it carries `cniVersion` is a case of its own.
 */
export function refused(answer: Answer, codes: readonly number[] = []): JsonObject {
  const which = codes.length === 0 ? '' : ` with code ${codes.join(' or ')}`;
  need(answer.exit !== 0 && !answer.late, `${answer.call} to fail with an error object${which}`, () => shown(answer));
  const { json } = answer;
  need(json !== undefined, 'one JSON object, the error, on standard output', () => shown(answer));
  const sound = typeof json.code === 'number' && json.code > 0 && typeof json.msg === 'string' && json.msg !== '';
  need(sound, 'an error object with a positive `code` and a `msg`', () => shown(answer));
  need(codes.length === 0 || codes.includes(Number(json.code)), `error code ${codes.join(' or ')}`, () =>
    shown(answer),
  );
  return json;
}

/** The addresses of a result of any version, with prefix length. */
export function addressesOf(result: JsonObject): string[] {
  const old = [result.ip4, result.ip6].flatMap((ip) => (isObject(ip) && typeof ip.ip === 'string' ? [ip.ip] : []));
  return [...old, ...objects(result.ips).flatMap((ip) => (typeof ip.address === 'string' ? [ip.address] : []))];
}

export function objects(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** The first IPv4 address without its length, else the first; empty if there is none. */
export function hostAddress(result: JsonObject): string {
  const all = addressesOf(result).map((address) => address.split('/')[0] ?? '');
  return all.find((address) => !address.includes(':')) ?? all[0] ?? '';
}

/** Of an entry of a result's `interfaces`: whether it is the pod's end. */
export function isSandboxed(link: unknown): boolean {
  return isObject(link) && typeof link.sandbox === 'string' && link.sandbox !== '';
}
