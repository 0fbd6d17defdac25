/** Field numbers of Kubernetes' protobuf messages, read from the generated table `protobuf.json`. */
import table from '#spec/kinds/schema/protobuf.json' with { type: 'json' };

export interface WireField {
  readonly name: string;
  /** A scalar word of protobuf, or the full name of a message. */
  readonly type: string;
  readonly form: 'one' | 'list' | 'map' | 'inline';
}

const lines = new Map<string, string>(Object.entries(table));
const parsed = new Map<string, ReadonlyMap<number, WireField>>();
const FORMS = [
  ['[]', 'list'],
  ['{}', 'map'],
  ['^', 'inline'],
] as const;

/** The fields of a message by number, undefined if the table does not know it. */
export function wireFieldsOf(message: string): ReadonlyMap<number, WireField> | undefined {
  const known = parsed.get(message);
  if (known !== undefined) return known;
  const line = lines.get(message);
  if (line === undefined) return undefined;
  const fields = new Map(line.split(' ').filter(Boolean).map(readField));
  parsed.set(message, fields);
  return fields;
}

function readField(text: string): [number, WireField] {
  const [, number = '', name = '', word = ''] = /^(\d+):(\w+)=(.*)$/.exec(text) ?? [];
  const form = FORMS.find(([mark]) => word.startsWith(mark));
  return [Number(number), { name, type: word.slice(form?.[0].length ?? 0), form: form?.[1] ?? 'one' }];
}

/** `v1` and `Pod` -> the full name of the message; meta types such as DeleteOptions have no group of their own. */
export function messageNameOf(apiVersion: string, kind: string): string | undefined {
  const [first = '', second] = apiVersion.split('/');
  const [group, version] = second === undefined ? ['core', first] : [first.split('.')[0] ?? '', second];
  const names = [`k8s.io.api.${group}.${version}.${kind}`, `k8s.io.apimachinery.pkg.apis.meta.v1.${kind}`];
  return names.find((name) => lines.has(name));
}
