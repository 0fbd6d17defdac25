/** Label selectors (Kubernetes "Labels and Selectors"): `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>3`. */
import { badRequest } from '#serve/api/http/status-error.ts';
import { type JsonObject, objectAt, objectsAt, textAt, textsAt } from '#spec/kinds/json.ts';
import { labelValueProblem, qualifiedNameProblem } from '#spec/kinds/names.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Requirement {
  readonly key: string;
  readonly operator: 'in' | 'notin' | 'exists' | 'absent' | 'gt' | 'lt';
  readonly values: readonly string[];
}

/** @throws StatusError 400 when the text is no selector */
export function parseLabelSelector(text: string): Requirement[] {
  const requirements: Requirement[] = [];
  for (const part of splitOutsideParentheses(text)) {
    if (part.trim() !== '') requirements.push(parseRequirement(part.trim(), text));
  }
  return requirements;
}

function splitOutsideParentheses(text: string): string[] {
  return text.split(/,(?![^(]*\))/);
}

function parseRequirement(part: string, whole: string): Requirement {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part);
  if (set !== null) {
    const values = (set[3] ?? '').split(',').map((value) => value.trim());
    return checked({ key: set[1] ?? '', operator: set[2] === 'in' ? 'in' : 'notin', values }, whole);
  }
  const absent = /^!\s*(\S+)$/.exec(part);
  if (absent !== null) return checked({ key: absent[1] ?? '', operator: 'absent', values: [] }, whole);
  const compared = /^([^\s=!<>]+)\s*(==|=|!=|>|<)\s*([^\s=!<>]*)$/.exec(part);
  if (compared !== null) return checked(comparison(compared), whole);
  return checked({ key: part, operator: 'exists', values: [] }, whole);
}

function comparison([, key = '', sign, value = '']: RegExpExecArray): Requirement {
  const operator = sign === '!=' ? 'notin' : sign === '>' ? 'gt' : sign === '<' ? 'lt' : 'in';
  return { key, operator, values: [value] };
}

function checked(requirement: Requirement, whole: string): Requirement {
  const problem =
    qualifiedNameProblem(requirement.key) ?? requirement.values.map(labelValueProblem).find((one) => one !== undefined);
  if (problem === undefined) return requirement;
  throw badRequest(`unable to parse requirement: ${JSON.stringify(whole)}: ${problem}`);
}

const OPERATORS = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: 'absent' } as const;

/** Of a selector as objects have it: `matchLabels`, `matchExpressions`. An empty one requires nothing. */
export function requirementsOf(selector: JsonObject): Requirement[] {
  const labels = Object.entries(objectAt(selector, 'matchLabels'));
  const equal = labels.map(([key, value]) => ({ key, operator: 'in', values: [String(value)] }) as const);
  const expressions = objectsAt(selector, 'matchExpressions').map((one) => ({
    key: textAt(one, 'key'),
    operator: OPERATORS[textAt(one, 'operator') as keyof typeof OPERATORS] ?? 'in',
    values: textsAt(one, 'values'),
  }));
  return [...equal, ...expressions];
}

export function matchesLabels(requirements: readonly Requirement[], labels: Labels): boolean {
  return requirements.every((requirement) => matches(requirement, labels));
}

function matches({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
    case 'in':
      return value !== undefined && values.includes(value);
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'lt':
      return value !== undefined && Number(value) < Number(values[0]);
  }
}
