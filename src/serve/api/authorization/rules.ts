/** Rules of roles (rbac.authorization.k8s.io/v1 PolicyRule): what one allows, and whether some allow all that another does. Pure. */
import { type Attributes, type ResourceAttributes, resourceText } from '#serve/api/authorization/attributes.ts';
import { type JsonObject, textsAt } from '#spec/kinds/json.ts';

export interface Rule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  /** Empty: all. */
  readonly resourceNames: readonly string[];
  readonly nonResourceURLs: readonly string[];
}

export function ruleOf(json: JsonObject): Rule {
  const of = (key: string) => textsAt(json, key);
  return {
    verbs: of('verbs'),
    apiGroups: of('apiGroups'),
    resources: of('resources'),
    resourceNames: of('resourceNames'),
    nonResourceURLs: of('nonResourceURLs'),
  };
}

export function ruleAllows(rule: Rule, wanted: Attributes): boolean {
  if (!holds(rule.verbs, wanted.verb)) return false;
  if (wanted.kind === 'path') return rule.nonResourceURLs.some((url) => pathMatches(url, wanted.path));
  if (!holds(rule.apiGroups, wanted.group) || !resourceMatches(rule, wanted)) return false;
  return rule.resourceNames.length === 0 || rule.resourceNames.includes(wanted.name);
}

function holds(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value);
}

function resourceMatches({ resources }: Rule, wanted: ResourceAttributes): boolean {
  if (holds(resources, resourceText(wanted))) return true;
  return wanted.subresource !== '' && resources.includes(`*/${wanted.subresource}`);
}

/** `/apis/*` is everything below. */
function pathMatches(url: string, path: string): boolean {
  if (url === '*' || url === path) return true;
  return url.endsWith('*') && path.startsWith(url.slice(0, -1));
}

/** What of `asked` nobody of `held` allows, taken apart to single permissions: empty if all of it is held. */
export function uncovered(held: readonly Rule[], asked: readonly Rule[]): Rule[] {
  return asked.flatMap(single).filter((one) => !held.some((rule) => contains(rule, one)));
}

const NONE: Rule = { verbs: [], apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [] };

function single(rule: Rule): Rule[] {
  return rule.verbs.flatMap((verb): Rule[] => [
    ...rule.nonResourceURLs.map((url) => ({ ...NONE, verbs: [verb], nonResourceURLs: [url] })),
    ...rule.apiGroups.flatMap((group) =>
      rule.resources.flatMap((resource) => {
        const one = { ...NONE, verbs: [verb], apiGroups: [group], resources: [resource] };
        return rule.resourceNames.length === 0
          ? [one]
          : rule.resourceNames.map((name) => ({ ...one, resourceNames: [name] }));
      }),
    ),
  ]);
}

/** `one` is a single permission; a star in it is only contained in a star. */
function contains(rule: Rule, one: Rule): boolean {
  const [verb = '', group = '', resource = '', name, url] = [
    one.verbs[0],
    one.apiGroups[0],
    one.resources[0],
    one.resourceNames[0],
    one.nonResourceURLs[0],
  ];
  if (!holds(rule.verbs, verb)) return false;
  if (url !== undefined) return rule.nonResourceURLs.some((known) => pathMatches(known, url));
  const sub = resource.includes('/') ? `*/${resource.split('/')[1]}` : resource;
  if (!holds(rule.apiGroups, group)) return false;
  if (!holds(rule.resources, resource) && !rule.resources.includes(sub)) return false;
  return rule.resourceNames.length === 0 || (name !== undefined && rule.resourceNames.includes(name));
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`, as Kubernetes prints what somebody lacks. */
export function ruleText(rule: Rule): string {
  const parts = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['ResourceNames', rule.resourceNames],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['Verbs', rule.verbs],
  ] as const;
  const shown = parts.filter(([, values]) => values.length > 0);
  return `{${shown.map(([name, values]) => `${name}:${JSON.stringify(values).replaceAll('","', '", "')}`).join(', ')}}`;
}
