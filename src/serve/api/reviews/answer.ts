/** Answers to kinds that are questions. Until there is RBAC, everybody with a credential may do everything. */
import type { User } from '#serve/api/pki/tokens.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import { type Kind, type KubeObject, resourceOf } from '#spec/kinds/kind.ts';

const ANSWERS: Readonly<Record<string, (user: User) => JsonObject>> = {
  'selfsubjectreviews.authentication.k8s.io': (user) => ({
    userInfo: { username: user.name, groups: [...user.groups] },
  }),
  'selfsubjectaccessreviews.authorization.k8s.io': () => ({ allowed: true, reason: 'everybody with a credential may' }),
  'selfsubjectrulesreviews.authorization.k8s.io': () => ({
    incomplete: false,
    resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
    nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
  }),
};

/** The question with its answer as status; undefined when the kind is none. */
export function answerQuestion(kind: Kind, object: KubeObject, user: User): KubeObject | undefined {
  const answer = ANSWERS[resourceOf(kind)];
  return answer === undefined ? undefined : { ...object, status: answer(user) };
}
