/** `serviceaccounts/token` (authentication.k8s.io/v1 TokenRequest): a token of a ServiceAccount, bound in time. */
import { type Api, type Call, keyOf } from '#serve/api/api.ts';
import { restrictToken } from '#serve/api/authorization/node-writes.ts';
import { readObject } from '#serve/api/http/body.ts';
import { conflict, invalidObject, notFound } from '#serve/api/http/status-error.ts';
import { ISSUER } from '#serve/api/pki/tokens.ts';
import { readStored } from '#serve/api/storage.ts';
import { answerText } from '#serve/api/verbs/answer.ts';
import { SECRET } from '#spec/kinds/core/configuration.ts';
import { POD } from '#spec/kinds/core/pod.ts';
import { type JsonObject, numberAt, objectAt, textAt, textsAt } from '#spec/kinds/json.ts';
import { invalid } from '#spec/kinds/kind.ts';

/** Seconds; Kubernetes takes nothing below ten minutes. */
const SHORTEST = 600;
const DEFAULT = 3600;

export async function requestToken(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  const body = await readObject(call.request);
  const stored = api.store.get(keyOf(kind, info.namespace, info.name));
  if (stored === undefined) throw notFound(kind, info.name);
  restrictToken(api, call, body);
  const seconds = numberAt(body, 'spec', 'expirationSeconds') ?? DEFAULT;
  if (seconds < SHORTEST) {
    const problem = invalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes');
    throw invalidObject({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, info.name, [problem]);
  }
  const asked = textsAt(body, 'spec', 'audiences');
  const audiences = asked.length === 0 ? [ISSUER] : asked;
  const uid = textAt(readStored(stored), 'metadata', 'uid');
  const expires = Math.floor(api.now() / 1000) + seconds;
  const bound = boundTo(api, info.namespace, objectAt(body, 'spec', 'boundObjectRef'));
  const account = { namespace: info.namespace, name: info.name, uid };
  const token = issue(api, account, bound, audiences, expires);
  const answer: JsonObject = {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name: info.name, namespace: info.namespace },
    spec: { ...objectAt(body, 'spec'), audiences, expirationSeconds: seconds },
    status: { token, expirationTimestamp: new Date(expires * 1000).toISOString().replace('.000', '') },
  };
  await answerText(call, 201, JSON.stringify(answer));
}

/** The claim of what the token ends with. @throws StatusError 404, 409 when it is another one by now */
function boundTo(api: Api, namespace: string, reference: JsonObject): JsonObject {
  const [kind, name, uid] = ['kind', 'name', 'uid'].map((key) => textAt(reference, key));
  const bindable = BINDABLE.find((one) => one.kind === kind);
  if (bindable === undefined || name === undefined) return {};
  const stored = api.store.get(keyOf(bindable, namespace, name));
  if (stored === undefined) throw notFound(bindable, name);
  const found = textAt(readStored(stored), 'metadata', 'uid');
  if (uid !== '' && uid !== found) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict(bindable, name, why);
  }
  return { [bindable.singular]: { name, uid: found } };
}

const BINDABLE = [POD, SECRET];

interface Account {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

function issue(api: Api, account: Account, bound: JsonObject, audiences: string[], expires: number): string {
  const { namespace, name, uid } = account;
  const user = {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  };
  const more = { 'kubernetes.io': { namespace, serviceaccount: { name, uid }, ...bound } };
  return api.tokens.issue(user, api.now(), { expires, audiences, more });
}
