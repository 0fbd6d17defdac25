/** The JSONPath of printer columns: members, indices, `[*]` and filters by equality (Kubernetes "JSONPath Support"). */
import { isObject, type Json, sameJson } from '#spec/kinds/json.ts';

type Step =
  | { readonly is: 'member'; readonly name: string }
  | { readonly is: 'index'; readonly index: number }
  | { readonly is: 'all' }
  | {
      readonly is: 'filter';
      readonly path: readonly Step[];
      readonly equal: boolean;
      readonly value: Json | undefined;
    };

/** A path that was read. */
export type JsonPath = readonly Step[];

const MEMBER = /^\.((?:\\.|[^.[\\])+)/;
const QUOTED = /^\[(?:'([^']*)'|"([^"]*)")\]/;
const INDEX = /^\[(-?\d+)\]/;
const ALL = /^(?:\[\*\]|\.\*)/;
const FILTER =
  /^\[\?\(\s*@((?:\.[\w-]+|\['[^']*'\])+)\s*(?:(==|!=)\s*("[^"]*"|'[^']*'|-?\d+(?:\.\d+)?|true|false)\s*)?\)\]/;

/** @throws SyntaxError when the text is no path that is understood here */
export function parseJsonPath(text: string): JsonPath {
  const steps: Step[] = [];
  for (let rest = text; rest !== ''; ) {
    const [step, length] = readStep(rest, text);
    steps.push(step);
    rest = rest.slice(length);
  }
  return steps;
}

function readStep(rest: string, whole: string): [Step, number] {
  const all = ALL.exec(rest);
  if (all !== null) return [{ is: 'all' }, all[0].length];
  const index = INDEX.exec(rest);
  if (index !== null) return [{ is: 'index', index: Number(index[1]) }, index[0].length];
  const quoted = QUOTED.exec(rest);
  if (quoted !== null) return [{ is: 'member', name: quoted[1] ?? quoted[2] ?? '' }, quoted[0].length];
  const filter = FILTER.exec(rest);
  if (filter !== null) return [readFilter(filter), filter[0].length];
  const member = MEMBER.exec(rest);
  if (member !== null) return [{ is: 'member', name: (member[1] ?? '').replace(/\\(.)/g, '$1') }, member[0].length];
  throw new SyntaxError(`Cannot read the JSONPath ${JSON.stringify(whole)} from ${JSON.stringify(rest)} on`);
}

function readFilter([, path = '', sign, value]: RegExpExecArray): Step {
  const said: Json | undefined = value === undefined ? undefined : JSON.parse(value.replace(/^'(.*)'$/, '"$1"'));
  return { is: 'filter', path: parseJsonPath(path), equal: sign !== '!=', value: said };
}

/** All values that the path leads to, in order. */
export function find(value: Json | undefined, path: JsonPath): Json[] {
  return path.reduce<Json[]>(
    (found, step) => found.flatMap((one) => follow(one, step)),
    value === undefined ? [] : [value],
  );
}

function follow(value: Json, step: Step): Json[] {
  switch (step.is) {
    case 'member': {
      const inner = isObject(value) && Object.hasOwn(value, step.name) ? value[step.name] : undefined;
      return inner === undefined ? [] : [inner];
    }
    case 'index': {
      const inner = Array.isArray(value) ? value.at(step.index) : undefined;
      return inner === undefined ? [] : [inner];
    }
    case 'all':
      return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
    case 'filter':
      return Array.isArray(value) ? value.filter((item) => passes(item, step)) : [];
  }
}

function passes(item: Json, step: Extract<Step, { readonly is: 'filter' }>): boolean {
  const [found] = find(item, step.path);
  if (step.value === undefined) return found !== undefined;
  return found !== undefined && sameJson(found, step.value) === step.equal;
}
