/** Subresources beside status, by resource and name: a table like the kinds. */
import type { Api, Call } from '#serve/api/api.ts';
import { methodNotAllowed, noSuchPath } from '#serve/api/http/status-error.ts';
import { streamLog } from '#serve/api/stream/log.ts';
import { approve } from '#serve/api/subresources/approval.ts';
import { bindPod } from '#serve/api/subresources/binding.ts';
import { changeEphemeral } from '#serve/api/subresources/ephemeral.ts';
import { evictPod } from '#serve/api/subresources/eviction.ts';
import { finalizeNamespace } from '#serve/api/subresources/finalize.ts';
import { scaleObject } from '#serve/api/subresources/scale.ts';
import { requestToken } from '#serve/api/subresources/token.ts';
import { resourceOf } from '#spec/kinds/kind.ts';

type Handler = (api: Api, call: Call) => Promise<void>;

/** exec, attach and portforward upgrade their connection and come in by another door (`stream/upgrade.ts`). */
const HANDLERS: Readonly<Record<string, Handler>> = {
  'certificatesigningrequests.certificates.k8s.io/approval': approve,
  'pods/binding': bindPod,
  'pods/ephemeralcontainers': changeEphemeral,
  'pods/eviction': evictPod,
  'pods/log': streamLog,
  'serviceaccounts/token': requestToken,
  'namespaces/finalize': finalizeNamespace,
};

/** Of every kind that declares them. */
const GENERIC: Readonly<Record<string, Handler>> = { scale: scaleObject };

/** @throws StatusError 404 when there is no such subresource, 405 when it has not this verb */
export async function handleSubresource(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  const declared = kind.subresources?.find((one) => one.name === info.subresource);
  if (declared === undefined) throw noSuchPath();
  const handler = HANDLERS[`${resourceOf(kind)}/${info.subresource}`] ?? GENERIC[info.subresource];
  if (handler === undefined || !declared.verbs.includes(info.verb)) throw methodNotAllowed();
  await handler(api, call);
}
