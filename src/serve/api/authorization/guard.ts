/** Lets a request through or not: who really asks (impersonation), whether they may, and whether they give away more than they have. */
import type { IncomingMessage } from 'node:http';
import type { Api, Call } from '#serve/api/api.ts';
import {
  type Attributes,
  attributesOf,
  deniedText,
  type ResourceAttributes,
} from '#serve/api/authorization/attributes.ts';
import { restrictNode } from '#serve/api/authorization/node-writes.ts';
import { type Rule, ruleOf, ruleText, uncovered } from '#serve/api/authorization/rules.ts';
import type { ResourceRequest } from '#serve/api/http/request-info.ts';
import { forbiddenTo, StatusError } from '#serve/api/http/status-error.ts';
import type { User } from '#serve/api/pki/tokens.ts';
import { objectAt, objectsAt, sameJson, textAt } from '#spec/kinds/json.ts';
import { type KubeObject, resourceOf } from '#spec/kinds/kind.ts';
import { CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING } from '#spec/kinds/rbac.ts';

/** @throws StatusError 403 in Kubernetes' words */
export function authorize(api: Api, user: User, wanted: Attributes): void {
  if (!api.access.allows(user, wanted)) throw denied(user, wanted);
}

/** The attributes of a request by its method and path. */
export function wantedOf(request: IncomingMessage, path: string, info: ResourceRequest | undefined): Attributes {
  if (info !== undefined) return attributesOf(info);
  return { kind: 'path', verb: (request.method ?? 'GET').toLowerCase(), path };
}

function denied(user: User, wanted: Attributes): StatusError {
  const why = deniedText(user.name, wanted);
  if (wanted.kind === 'path') return new StatusError(403, 'Forbidden', `forbidden: ${why}`);
  return refused(wanted, why);
}

function refused({ group, resource: plural, name }: ResourceAttributes, why: string): StatusError {
  if (name !== '') return forbiddenTo({ group, plural }, name, why);
  const details = { kind: plural, ...(group === '' ? {} : { group }) };
  const qualified = group === '' ? plural : `${plural}.${group}`;
  return new StatusError(403, 'Forbidden', `${qualified} is forbidden: ${why}`, details);
}

/** The user that a request speaks for (`kubectl --as`). @throws StatusError 403 */
export function impersonate(api: Api, user: User, request: IncomingMessage): User {
  const name = headerOf(request, 'impersonate-user')[0];
  const groups = headerOf(request, 'impersonate-group');
  if (name === undefined) return user;
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name) ?? [];
  const asAccount = namespace !== undefined && account !== undefined;
  const wanted = asAccount ? impersonation('serviceaccounts', account, namespace) : impersonation('users', name, '');
  for (const one of [wanted, ...groups.map((group) => impersonation('groups', group, ''))]) authorize(api, user, one);
  const own = asAccount ? ['system:serviceaccounts', `system:serviceaccounts:${namespace}`] : [];
  return { name, groups: [...new Set([...groups, ...own, 'system:authenticated'])] };
}

function impersonation(resource: string, name: string, namespace: string): ResourceAttributes {
  return { kind: 'resource', verb: 'impersonate', group: '', resource, subresource: '', namespace, name };
}

/** Node joins repeated headers with commas. */
function headerOf(request: IncomingMessage, name: string): string[] {
  const text = [request.headers[name] ?? []].flat().join(',');
  return text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);
}

/**
 * A node writes what is its own (`node-writes.ts`). Nobody gives rights that they do not have: a role's rules, or those of a bound role, must be held, or the verb
 * `escalate` or `bind` on it. Answers the object. @throws StatusError 403
 */
export function withoutEscalation(
  api: Api,
  call: Pick<Call, 'kind' | 'info' | 'user'>,
  object: KubeObject,
  old?: KubeObject,
): KubeObject {
  restrictNode(api, call, object, old);
  if (old !== undefined && GIVING.every((key) => sameJson(object[key], old[key]))) return object;
  const asked = rulesGiven(api, call, object);
  if (asked === undefined || asked.rules.length === 0) return object;
  const { group, plural, namespace, name } = { ...call.info, name: object.metadata.name };
  const verb = asked.verb;
  const wanted: ResourceAttributes = { kind: 'resource', verb, ...asked.target, group, subresource: '', namespace };
  if (api.access.allows(call.user, wanted)) return object;
  const lacking = uncovered(api.access.rulesOf(call.user, namespace), asked.rules);
  if (lacking.length === 0) return object;
  const groups = `groups=[${call.user.groups.map((one) => JSON.stringify(one)).join(' ')}]`;
  const why = `user ${JSON.stringify(call.user.name)} (${groups}) is attempting to grant RBAC permissions not currently held:`;
  throw forbiddenTo({ group, plural }, name, `${why}\n${lacking.map(ruleText).join('\n')}`);
}

/** Fields of roles and bindings that give. */
const GIVING = ['rules', 'aggregationRule', 'roleRef', 'subjects'];

interface Given {
  readonly verb: 'escalate' | 'bind';
  readonly rules: readonly Rule[];
  readonly target: { readonly resource: string; readonly name: string };
}

/** Undefined for kinds that give no rights, and where nothing is given anew. */
function rulesGiven(api: Api, { kind, info }: Pick<Call, 'kind' | 'info'>, object: KubeObject): Given | undefined {
  const resource = resourceOf(kind);
  if (resource === resourceOf(ROLE) || resource === resourceOf(CLUSTER_ROLE)) {
    const target = { resource: kind.plural, name: object.metadata.name };
    return { verb: 'escalate', rules: objectsAt(object, 'rules').map(ruleOf), target };
  }
  if (resource !== resourceOf(ROLE_BINDING) && resource !== resourceOf(CLUSTER_ROLE_BINDING)) return undefined;
  const role = objectAt(object, 'roleRef');
  const plural = textAt(role, 'kind') === ROLE.kind ? ROLE.plural : CLUSTER_ROLE.plural;
  const target = { resource: plural, name: textAt(role, 'name') };
  return { verb: 'bind', rules: api.access.rulesOfRole(info.namespace, role), target };
}
