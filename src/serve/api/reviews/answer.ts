/** Answers to kinds that are questions: who somebody is, and what they may do. */
import type { Api, Call } from '#serve/api/api.ts';
import type { Attributes } from '#serve/api/authorization/attributes.ts';
import type { Rule } from '#serve/api/authorization/rules.ts';
import { badRequest } from '#serve/api/http/status-error.ts';
import { isLive } from '#serve/api/pki/live.ts';
import { ISSUER, type User } from '#serve/api/pki/tokens.ts';
import { isObject, type JsonObject, objectAt, textAt, textsAt } from '#spec/kinds/json.ts';
import { type KubeObject, resourceOf } from '#spec/kinds/kind.ts';

type Answer = (api: Api, call: Call, object: KubeObject) => JsonObject;

const ANSWERS: Readonly<Record<string, Answer>> = {
  'selfsubjectreviews.authentication.k8s.io': (_api, { user }) => ({ userInfo: userInfo(user) }),
  'tokenreviews.authentication.k8s.io': (api, _call, object) => reviewToken(api, object),
  'selfsubjectaccessreviews.authorization.k8s.io': (api, { user }, object) => mayDo(api, user, object),
  'subjectaccessreviews.authorization.k8s.io': (api, _call, object) => mayDo(api, subjectOf(object), object),
  'localsubjectaccessreviews.authorization.k8s.io': (api, { info }, object) => {
    if (textAt(object, 'spec', 'resourceAttributes', 'namespace') !== info.namespace)
      throw badRequest('spec.resourceAttributes.namespace must match the namespace of the request');
    return mayDo(api, subjectOf(object), object);
  },
  'selfsubjectrulesreviews.authorization.k8s.io': (api, { user }, object) => rulesFor(api, user, object),
};

/** The question with its answer as status; undefined when the kind is none. @throws StatusError 400 */
export function answerQuestion(api: Api, call: Call, object: KubeObject): KubeObject | undefined {
  const answer = ANSWERS[resourceOf(call.kind)];
  return answer === undefined ? undefined : { ...object, status: answer(api, call, object) };
}

function userInfo({ name, groups }: User): JsonObject {
  return { username: name, groups: [...groups] };
}

function reviewToken(api: Api, object: KubeObject): JsonObject {
  const user = verified(api, textAt(object, 'spec', 'token'));
  if (user === undefined || !isLive(api, user))
    return { user: {}, error: '[invalid bearer token, Token could not be validated.]' };
  const asked = textsAt(object, 'spec', 'audiences');
  return { authenticated: true, user: userInfo(user), audiences: asked.length === 0 ? [ISSUER] : asked };
}

function verified(api: Api, token: string): User | undefined {
  try {
    return api.verifier.verify(token, api.now());
  } catch {
    return undefined; // not a token at all
  }
}

function subjectOf(object: KubeObject): User {
  return { name: textAt(object, 'spec', 'user'), groups: textsAt(object, 'spec', 'groups') };
}

function mayDo(api: Api, user: User, object: KubeObject): JsonObject {
  const wanted = attributesIn(object);
  if (api.access.allows(user, wanted))
    return { allowed: true, reason: 'RBAC: allowed by a role that is bound to the user' };
  // No reason: nobody forbids it, it is only that nobody allows it.
  return { allowed: false };
}

/** @throws StatusError 400 unless exactly one of both kinds of attributes is asked for */
function attributesIn(object: KubeObject): Attributes {
  const spec = objectAt(object, 'spec');
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  if (isObject(resource) === isObject(path))
    throw badRequest('exactly one of nonResourceAttributes or resourceAttributes must be specified');
  if (isObject(path)) return { kind: 'path', verb: textAt(path, 'verb'), path: textAt(path, 'path') };
  const of = (key: string) => textAt(resource, key);
  return {
    kind: 'resource',
    verb: of('verb'),
    group: of('group'),
    resource: of('resource'),
    subresource: of('subresource'),
    namespace: of('namespace'),
    name: of('name'),
  };
}

function rulesFor(api: Api, user: User, object: KubeObject): JsonObject {
  const namespace = textAt(object, 'spec', 'namespace');
  if (namespace === '') throw badRequest('no namespace on request');
  const rules = api.access.rulesOf(user, namespace);
  const filled = (entries: readonly (readonly [string, readonly string[]])[]): JsonObject =>
    Object.fromEntries(entries.filter(([, values]) => values.length > 0).map(([key, values]) => [key, [...values]]));
  const resources = ({ verbs, apiGroups, resources: names, resourceNames }: Rule) =>
    filled([
      ['verbs', verbs],
      ['apiGroups', apiGroups],
      ['resources', names],
      ['resourceNames', resourceNames],
    ]);
  return {
    incomplete: false,
    resourceRules: rules.filter((rule) => rule.resources.length > 0).map(resources),
    nonResourceRules: rules
      .filter((rule) => rule.nonResourceURLs.length > 0)
      .map(({ verbs, nonResourceURLs }) => ({ verbs: [...verbs], nonResourceURLs: [...nonResourceURLs] })),
  };
}
