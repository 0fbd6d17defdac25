/**
 * The signer of certificates for clients of this API (`kubernetes.io/kube-apiserver-client`): an approved request gets its
 * certificate, one that asks for too much gets the condition Failed. Other signers' requests are for others to answer.
 */
import { type Api, timeText } from '#serve/api/api.ts';
import type { KeyPair } from '#serve/api/pki/certificates.ts';
import { readStored } from '#serve/api/storage.ts';
import type { StoredObject } from '#serve/api/store/stored.ts';
import { changeObject } from '#serve/api/verbs/change.ts';
import { CERTIFICATE_SIGNING_REQUEST, CLIENT_SIGNER } from '#spec/kinds/certificates.ts';
import { type JsonObject, numberAt, objectAt, objectsAt, textAt, textsAt } from '#spec/kinds/json.ts';
import { type KubeObject, resourceOf } from '#spec/kinds/kind.ts';

const MASTERS = 'system:masters';
const USAGES = ['client auth', 'digital signature', 'key encipherment'];
const YEAR = 365 * 24 * 3600;

/** Signs what is approved, now and later, until it is disposed. */
export function signRequests(api: Api, ca: () => KeyPair): Disposable {
  const tend = (stored: StoredObject): void => {
    const request = readStored(stored);
    if (!isDue(request)) return;
    answer(api, request, ca).catch((error: unknown) => api.log.error({ err: error, name: stored.name }, 'cannot sign'));
  };
  const resource = resourceOf(CERTIFICATE_SIGNING_REQUEST);
  for (const stored of api.store.list(resource)) tend(stored);
  return api.store.subscribe(resource, ({ type, object }) => {
    if (type !== 'DELETED') tend(object);
  });
}

/** Approved, and nobody has answered it yet. */
function isDue(request: KubeObject): boolean {
  if (textAt(request, 'spec', 'signerName') !== CLIENT_SIGNER || textAt(request, 'status', 'certificate') !== '')
    return false;
  const types = objectsAt(request, 'status', 'conditions').map((one) => textAt(one, 'type'));
  return types.includes('Approved') && !types.includes('Failed');
}

async function answer(api: Api, request: KubeObject, ca: () => KeyPair): Promise<void> {
  // Loaded only when something is to be signed.
  const { readRequest, signRequest } = await import('#serve/api/pki/requests.ts');
  const asked = await readRequest(Buffer.from(textAt(request, 'spec', 'request'), 'base64').toString('utf8'));
  const problem = typeof asked === 'string' ? asked : objection(request, asked.organizations);
  if (typeof asked === 'string' || problem !== undefined) {
    write(api, request, (status) => ({ ...status, conditions: failed(status, problem ?? '', timeText(api.now())) }));
    return;
  }
  const seconds = Math.min(numberAt(request, 'spec', 'expirationSeconds') ?? YEAR, YEAR);
  const certificate = await signRequest(ca(), asked, seconds);
  write(api, request, (status) => ({ ...status, certificate: Buffer.from(certificate).toString('base64') }));
}

function objection(request: KubeObject, organizations: readonly string[]): string | undefined {
  const wrong = textsAt(request, 'spec', 'usages').find((usage) => !USAGES.includes(usage));
  if (wrong !== undefined) return `usage ${JSON.stringify(wrong)} is not one of ${USAGES.join(', ')}`;
  if (!textsAt(request, 'spec', 'usages').includes('client auth')) return 'usages must include "client auth"';
  if (organizations.includes(MASTERS)) return `use of ${CLIENT_SIGNER} signer with ${MASTERS} group is not allowed`;
  return undefined;
}

function failed(status: JsonObject, message: string, now: string): JsonObject[] {
  const condition = { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message };
  return [...objectsAt(status, 'conditions'), { ...condition, lastUpdateTime: now, lastTransitionTime: now }];
}

/** Only once: a second event of the same request finds it answered. */
function write(api: Api, { metadata: { name } }: KubeObject, status: (old: JsonObject) => JsonObject): void {
  const target = { kind: CERTIFICATE_SIGNING_REQUEST, namespace: '', name, subresource: 'status' };
  const change = (old: KubeObject): KubeObject =>
    isDue(old) ? { ...old, status: status(objectAt(old, 'status')) } : old;
  changeObject(api, target, change, false);
}
