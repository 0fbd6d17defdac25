/** `certificatesigningrequests/approval`: yes or no to a request, by whoever may approve for its signer. */
import { type Api, type Call, keyOf, timeText } from '#serve/api/api.ts';
import { authorize } from '#serve/api/authorization/guard.ts';
import { mediaTypeOf, readBody, readObject } from '#serve/api/http/body.ts';
import { invalidObject, notFound } from '#serve/api/http/status-error.ts';
import { readAs } from '#serve/api/storage.ts';
import { answerObject } from '#serve/api/verbs/answer.ts';
import { changeObject } from '#serve/api/verbs/change.ts';
import { writeOptionsOf } from '#serve/api/verbs/options.ts';
import { readPatch } from '#serve/api/verbs/patch.ts';
import { trackOf } from '#serve/api/verbs/writer.ts';
import { copyJson, type JsonObject, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import { invalid, type KubeObject } from '#spec/kinds/kind.ts';

const ANSWERS = ['Approved', 'Denied'];

/** @throws StatusError 403 (no right for the signer), 404, 409, 422 (both, or one that is taken back) */
export async function approve(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  const stored = api.store.get(keyOf(kind, info.namespace, info.name));
  if (stored === undefined) throw notFound(kind, info.name);
  const current = readAs(kind, stored);
  if (info.verb === 'get') return await answerObject(api, call, 200, () => current, stored.text);
  authorizeSigner(api, call, textAt(current, 'spec', 'signerName'));
  const wanted = await wantedOf(call);
  const target = { kind, namespace: '', name: info.name, subresource: info.subresource };
  const { dryRun } = writeOptionsOf(call.query, 'UpdateOptions');
  const change = (old: KubeObject) => answered(old, wanted(copyJson(old)), call, timeText(api.now()));
  const { object, text } = changeObject(api, target, change, dryRun, trackOf(api, call));
  await answerObject(api, call, 200, () => object, text);
}

async function wantedOf(call: Call): Promise<(old: JsonObject) => JsonObject> {
  if (call.info.verb === 'patch')
    return readPatch((await readBody(call.request)).toString('utf8'), mediaTypeOf(call.request), call.kind.type).apply;
  const body = await readObject(call.request);
  return () => body;
}

/** Kubernetes' admission plugin CertificateApproval: the verb `approve` on the signer, or on all of its domain. */
function authorizeSigner(api: Api, { user }: Call, signer: string): void {
  const wanted = {
    kind: 'resource',
    verb: 'approve',
    group: 'certificates.k8s.io',
    resource: 'signers',
    subresource: '',
    namespace: '',
  } as const;
  const domain = `${signer.split('/')[0] ?? ''}/*`;
  if (!api.access.allows(user, { ...wanted, name: domain })) authorize(api, user, { ...wanted, name: signer });
}

/** Takes the answers alone; what the signer wrote stays. */
function answered(old: KubeObject, wanted: JsonObject, { kind, info }: Call, now: string): KubeObject {
  const isAnswer = (condition: JsonObject): boolean => ANSWERS.includes(textAt(condition, 'type'));
  const others = objectsAt(old, 'status', 'conditions').filter((one) => !isAnswer(one));
  const answers = objectsAt(wanted, 'status', 'conditions').filter(isAnswer);
  const given = new Set(answers.map((one) => textAt(one, 'type')));
  const lost = objectsAt(old, 'status', 'conditions').find((one) => isAnswer(one) && !given.has(textAt(one, 'type')));
  const why =
    given.size > 1
      ? 'Approved and Denied conditions are mutually exclusive'
      : lost && `updates may not remove a condition of type ${JSON.stringify(lost.type)}`;
  if (why !== undefined) throw invalidObject(kind, info.name, [invalid('status.conditions', [...given], why)]);
  const dated = answers.map((one) => ({ lastUpdateTime: now, lastTransitionTime: now, ...one }));
  const metadata = { ...old.metadata, resourceVersion: textAt(wanted, 'metadata', 'resourceVersion') };
  return { ...old, metadata, status: { ...objectAt(old, 'status'), conditions: [...others, ...dated] } };
}
