/** `serviceaccounts/token` (authentication.k8s.io/v1 TokenRequest): a token of a ServiceAccount, bound in time. */
import { type Api, type Call, keyOf } from '#serve/api/api.ts';
import { readObject } from '#serve/api/http/body.ts';
import { invalidObject, notFound } from '#serve/api/http/status-error.ts';
import { ISSUER } from '#serve/api/pki/tokens.ts';
import { readStored } from '#serve/api/storage.ts';
import { answerText } from '#serve/api/verbs/answer.ts';
import { type JsonObject, numberAt, textAt, textsAt } from '#spec/kinds/json.ts';
import { invalid } from '#spec/kinds/kind.ts';

/** Seconds; Kubernetes takes nothing below ten minutes. */
const SHORTEST = 600;
const DEFAULT = 3600;

export async function requestToken(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  const body = await readObject(call.request);
  const stored = api.store.get(keyOf(kind, info.namespace, info.name));
  if (stored === undefined) throw notFound(kind, info.name);
  const seconds = numberAt(body, 'spec', 'expirationSeconds') ?? DEFAULT;
  if (seconds < SHORTEST) {
    const problem = invalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes');
    throw invalidObject({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, info.name, [problem]);
  }
  const asked = textsAt(body, 'spec', 'audiences');
  const audiences = asked.length === 0 ? [ISSUER] : asked;
  const uid = textAt(readStored(stored), 'metadata', 'uid');
  const expires = Math.floor(api.now() / 1000) + seconds;
  const token = issue(api, info.namespace, info.name, uid, audiences, expires);
  const answer: JsonObject = {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name: info.name, namespace: info.namespace },
    spec: { audiences, expirationSeconds: seconds },
    status: { token, expirationTimestamp: new Date(expires * 1000).toISOString().replace('.000', '') },
  };
  await answerText(call, 201, JSON.stringify(answer));
}

function issue(api: Api, namespace: string, name: string, uid: string, audiences: string[], expires: number): string {
  const user = {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  };
  const more = { 'kubernetes.io': { namespace, serviceaccount: { name, uid } } };
  return api.tokens.issue(user, api.now(), { expires, audiences, more });
}
