/** Who a write comes from, as managedFields say it. */

import type { Api, Call } from '#serve/api/api.ts';
import { timeText } from '#serve/api/api.ts';
import type { Writer } from '#serve/api/apply/managed.ts';
import { type TrackOptions, trackUpdate } from '#serve/api/apply/track.ts';
import { invalidOptions } from '#serve/api/verbs/options.ts';
import { apiVersionOf, type FieldError, fieldError, invalid, type Kind, type KubeObject } from '#spec/kinds/kind.ts';
import { structureOf } from '#spec/kinds/schema/structure.ts';

/** Writes the managers into an object before it is stored; `old` is undefined for a new one. */
export type Track = (object: KubeObject, old: KubeObject | undefined) => void;

const LONGEST = 128;
const PRINTABLE = /^[^\p{C}]*$/u;

/** The track of a call that creates, updates or patches. @throws StatusError 422 */
export function trackOf(api: Api, call: Call): Track {
  const options = trackOptionsOf(api, call.kind, writerOf(call, 'Update'));
  return (object, old) => trackUpdate(object, old, options);
}

export function trackOptionsOf(api: Api, kind: Kind, writer: Writer): TrackOptions {
  return { writer, structure: structureOf(kind), time: timeText(api.now()) };
}

/** @throws StatusError 422 when the name of the manager is none */
export function writerOf({ query, request, kind, info }: Call, operation: Writer['operation']): Writer {
  const asked = query.get('fieldManager') ?? '';
  const problems = managerProblems(asked);
  if (problems.length > 0) throw invalidOptions('PatchOptions', problems);
  const manager = asked === '' ? managerOfAgent(request.headers['user-agent'] ?? '') : asked;
  return { manager, operation, apiVersion: apiVersionOf(kind), subresource: info.subresource };
}

function managerProblems(name: string): FieldError[] {
  if (name.length > LONGEST)
    return [fieldError('FieldValueTooLong', 'fieldManager', `Too long: may not be more than ${LONGEST} bytes`)];
  return PRINTABLE.test(name) ? [] : [invalid('fieldManager', name, 'should only contain printable characters')];
}

/** `kubectl/v1.32.0 (linux/amd64) …` -> `kubectl`. */
function managerOfAgent(agent: string): string {
  const name = [...(agent.split('/')[0] ?? '')].filter((one) => PRINTABLE.test(one)).join('');
  return name === '' ? 'unknown' : name.slice(0, LONGEST);
}
