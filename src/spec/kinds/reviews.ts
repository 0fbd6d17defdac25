/** Kinds that are questions: they are posted, answered, and stored nowhere (authentication.k8s.io, authorization.k8s.io). */
import { PLAIN_COLUMNS } from '#spec/kinds/columns/common.ts';
import type { Kind } from '#spec/kinds/kind.ts';

function question(group: string, kind: string, namespaced = false): Kind {
  const plural = `${kind.toLowerCase()}s`;
  return {
    group,
    version: 'v1',
    kind,
    plural,
    singular: kind.toLowerCase(),
    namespaced,
    type: `V1${kind}`,
    names: 'path-segment',
    verbs: ['create'],
    columns: PLAIN_COLUMNS,
  };
}

/** Who am I? `kubectl auth whoami`. */
export const SELF_SUBJECT_REVIEW = question('authentication.k8s.io', 'SelfSubjectReview');
/** May I? `kubectl auth can-i`. */
export const SELF_SUBJECT_ACCESS_REVIEW = question('authorization.k8s.io', 'SelfSubjectAccessReview');
/** What may I? `kubectl auth can-i --list`. */
export const SELF_SUBJECT_RULES_REVIEW = question('authorization.k8s.io', 'SelfSubjectRulesReview');
/** May somebody? For programs that let others in (KEP-1393). */
export const SUBJECT_ACCESS_REVIEW = question('authorization.k8s.io', 'SubjectAccessReview');
/** The same in one namespace, for who may ask only there. */
export const LOCAL_SUBJECT_ACCESS_REVIEW = question('authorization.k8s.io', 'LocalSubjectAccessReview', true);
/** Whose token is this? */
export const TOKEN_REVIEW = question('authentication.k8s.io', 'TokenReview');
