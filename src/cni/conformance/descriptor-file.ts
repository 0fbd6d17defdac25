/** Reads descriptors from outside (`--descriptors FILE`): whatever is wrong is said with its place in the file. */

import { type Descriptor, FEATURES, type Kind } from '#cni/conformance/descriptor.ts';
import { TOOLS } from '#cni/conformance/read.ts';

/** @throws TypeError with the place in the list and what must stand there */
type Rule = (value: unknown, at: string) => void;

const KINDS = ['main', 'ipam', 'meta'] as const satisfies readonly Kind[];
const EFFECT_TOOLS = [...Object.keys(TOOLS), 'sysctl'];

/** As names of files and of cases in reports. */
const NAME = /^[\w.-]+$/;

const text: Rule = (value, at) => {
  if (typeof value !== 'string' || value === '') wrong(at, 'a text that is not empty', value);
};
const flag: Rule = (value, at) => {
  if (typeof value !== 'boolean') wrong(at, 'true or false', value);
};
const name: Rule = (value, at) => {
  if (typeof value !== 'string' || !NAME.test(value)) wrong(at, 'a name of letters, digits, ".", "_" and "-"', value);
};
const anyObject: Rule = (value, at) => {
  if (!isRecord(value)) wrong(at, 'an object', value);
};

function oneOf(words: readonly string[]): Rule {
  return (value, at) => {
    if (!words.some((word) => word === value)) wrong(at, `one of ${words.join(', ')}`, value);
  };
}

function listOf(rule: Rule): Rule {
  return (value, at) => {
    if (!Array.isArray(value)) wrong(at, 'a list', value);
    else for (const [i, one] of value.entries()) rule(one, `${at}[${i}]`);
  };
}

function recordOf(rule: Rule): Rule {
  return (value, at) => {
    if (!isRecord(value)) wrong(at, 'an object', value);
    else for (const [key, one] of Object.entries(value)) rule(one, join(at, key));
  };
}

/** Keys that are not in either would be taken for misspelt ones. */
function object(required: Readonly<Record<string, Rule>>, optional: Readonly<Record<string, Rule>>): Rule {
  const rules = new Map(Object.entries({ ...required, ...optional }));
  return (value, at) => {
    if (!isRecord(value)) return wrong(at, 'an object', value);
    for (const key of Object.keys(required)) if (!(key in value)) throw new TypeError(`${join(at, key)} is missing`);
    for (const [key, one] of Object.entries(value)) {
      const rule = rules.get(key);
      if (!rule)
        throw new TypeError(`${join(at, key)}: there is no such key; there are ${[...rules.keys()].join(', ')}`);
      rule(one, join(at, key));
    }
  };
}

/** A program and its arguments. */
const argv: Rule = (value, at) => {
  listOf((one, where) => {
    if (typeof one !== 'string') wrong(where, 'a text', one);
  })(value, at);
  if (Array.isArray(value)) text(value[0], `${at}[0]`);
};

/** A pattern of a row: its regular expressions must be some. */
const pattern: Rule = (value, at) => {
  anyObject(value, at);
  partsOf(value, at);
};

function partsOf(value: unknown, at: string): void {
  if (Array.isArray(value)) for (const [i, one] of value.entries()) partsOf(one, `${at}[${i}]`);
  else if (isRecord(value)) for (const [key, one] of Object.entries(value)) partsOf(one, join(at, key));
  else if (typeof value === 'string' && /^\/.+\/$/s.test(value)) regular(value.slice(1, -1), at);
}

function regular(source: string, at: string): void {
  try {
    // Placeholders are filled first.
    new RegExp(source.replaceAll(/\{[a-z]\w*\}/g, 'x'));
  } catch (error) {
    throw new TypeError(`${at} is no regular expression: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const where = oneOf(['pod', 'node']);
const needs = listOf(oneOf(Object.keys(FEATURES)));
const effects = listOf(
  object({ say: text, in: where, tool: oneOf(EFFECT_TOOLS), has: pattern }, { stays: flag, absent: flag }),
);

/** Of each key of a descriptor, so that none is forgotten here. */
const OPTIONAL = {
  needs,
  beneath: listOf(name),
  ipam: name,
  calls: listOf(name),
  ifname: text,
  protocolOnly: text,
  setup: listOf(argv),
  programs: listOf(object({ in: oneOf(['node', 'outside']), run: argv }, { ready: text })),
  perPod: listOf(argv),
  effects,
  variants: listOf(object({ name, conf: anyObject, effects }, { needs })),
  tampers: listOf(object({ say: name, in: where, run: argv }, {})),
  notReady: object({ say: text }, { conf: anyObject, run: listOf(argv) }),
  traffic: object({ pods: flag, node: flag }, {}),
  repeatable: flag,
  endsWithInterface: flag,
  single: text,
  second: anyObject,
  noInterface: flag,
  skip: recordOf(text),
} satisfies Record<Exclude<keyof Descriptor, 'type' | 'kind' | 'conf'>, Rule>;

const descriptor = object({ type: name, kind: oneOf(KINDS), conf: anyObject }, OPTIONAL);

/**
 * Of the text of a file.
 *
 * @throws SyntaxError if it is no JSON; TypeError with one sentence, the place in the list in front, if it is something else
 */
export function parseDescriptors(json: string): readonly Descriptor[] {
  const list: unknown = JSON.parse(json);
  assertDescriptors(list);
  return list;
}

function assertDescriptors(value: unknown): asserts value is readonly Descriptor[] {
  if (!Array.isArray(value)) throw new TypeError('it is not a JSON list of descriptors');
  listOf(descriptor)(value, '');
  const types = value.map((one: unknown) => (isRecord(one) ? one.type : undefined));
  const twice = types.findIndex((type, i) => types.indexOf(type) < i);
  if (twice >= 0) throw new TypeError(`[${twice}].type: ${String(types[twice])} is described twice`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function join(at: string, key: string): string {
  return /^[\w$]+$/.test(key) ? `${at}.${key}` : `${at}[${JSON.stringify(key)}]`;
}

const LONGEST = 60;

function wrong(at: string, wanted: string, value: unknown): never {
  const seen = JSON.stringify(value) ?? 'nothing';
  throw new TypeError(`${at} must be ${wanted}, not ${seen.length > LONGEST ? `${seen.slice(0, LONGEST)}…` : seen}`);
}
