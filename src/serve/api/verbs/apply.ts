/** Server-side apply as a request: PATCH with `application/apply-patch+yaml`. */
import { type Api, type Call, keyOf } from '#serve/api/api.ts';
import { type Applied, type ApplyOptions, applyConfiguration, type Conflict } from '#serve/api/apply/apply.ts';
import { pathText } from '#serve/api/apply/field-set.ts';
import { setLastApplied, takeableOf } from '#serve/api/apply/last-applied.ts';
import type { Writer } from '#serve/api/apply/managed.ts';
import { attributesOf } from '#serve/api/authorization/attributes.ts';
import { authorize, withoutEscalation } from '#serve/api/authorization/guard.ts';
import { objectBody, parseBody } from '#serve/api/http/body.ts';
import { badRequest, conflict, StatusError } from '#serve/api/http/status-error.ts';
import type { Written } from '#serve/api/storage.ts';
import { changeObject } from '#serve/api/verbs/change.ts';
import { createObject } from '#serve/api/verbs/create.ts';
import { placeIn, readIncoming } from '#serve/api/verbs/incoming.ts';
import { invalidOptions, type WriteOptions, writeOptionsOf } from '#serve/api/verbs/options.ts';
import { trackOptionsOf, writerOf } from '#serve/api/verbs/writer.ts';
import { copyJson, textAt } from '#spec/kinds/json.ts';
import { type KubeObject, required } from '#spec/kinds/kind.ts';

/** @throws StatusError 400, 409 (a conflict with other managers, each field a cause), 422 */
export async function apply(api: Api, call: Call, body: Buffer): Promise<Written & { readonly code: number }> {
  const { kind, info, query } = call;
  if ((query.get('fieldManager') ?? '') === '')
    throw invalidOptions('PatchOptions', [required('fieldManager', 'is required for apply patch')]);
  const options: ApplyOptions = {
    ...trackOptionsOf(api, kind, writerOf(call, 'Apply')),
    force: ['true', '1'].includes(query.get('force') ?? ''),
  };
  const write = writeOptionsOf(query, 'PatchOptions');
  const config = await readConfiguration(call, body, write);
  const target = { kind, namespace: info.namespace, name: info.name, subresource: info.subresource };
  const mutate = (old: KubeObject) => withoutEscalation(api, call, applied(old, config, options, call), old);
  if (api.store.get(keyOf(kind, info.namespace, info.name)) !== undefined)
    return { code: 200, ...changeObject(api, target, mutate, write.dryRun) };
  if (textAt(config, 'metadata', 'uid') !== '' || info.subresource !== '')
    throw conflict(
      kind,
      info.name,
      'uid mismatch: the provided object specified a uid, and no existing object was found',
    );
  authorize(api, call.user, { ...attributesOf(info), verb: 'create' });
  const made = withoutEscalation(api, call, applied(undefined, config, options, call));
  return { code: 201, ...createObject(api, kind, info.namespace, made, write.dryRun) };
}

async function readConfiguration(call: Call, body: Buffer, options: WriteOptions): Promise<KubeObject> {
  const { kind, info } = call;
  const sent = objectBody(await parseBody(body, 'application/yaml'));
  if (textAt(sent.value, 'apiVersion') === '' || textAt(sent.value, 'kind') === '')
    throw badRequest("Object 'Kind' is missing in the applied configuration: it needs an apiVersion and a kind");
  const config = readIncoming(sent, kind, options, call.response);
  if (config.metadata.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  const said = textAt(config, 'metadata', 'name');
  if (said !== '' && said !== info.name)
    throw badRequest(`the name of the object (${said}) does not match the name on the URL (${info.name})`);
  config.metadata.name = info.name;
  placeIn(config, kind, info.namespace);
  for (const key of Object.keys(config)) if (!isWritten(key, call)) delete config[key];
  return config;
}

/** The status is written by its subresource, all else by the object itself. */
function isWritten(key: string, { kind, info }: Call): boolean {
  if (info.subresource === 'status') return ['apiVersion', 'kind', 'metadata', 'status'].includes(key);
  return key !== 'status' || kind.status !== true;
}

function applied(live: KubeObject | undefined, config: KubeObject, options: ApplyOptions, call: Call): KubeObject {
  const copy = copyJson(config);
  const result = withLastApplied(live, copy, options);
  if (result.is === 'conflict') throw conflictError(result.conflicts, call);
  setLastApplied(result.object, live, copy, options.writer);
  return result.object;
}

/** What client-side apply wrote itself, it may take over. */
function withLastApplied(live: KubeObject | undefined, config: KubeObject, options: ApplyOptions): Applied {
  const takeable = takeableOf(live, options);
  return applyConfiguration(live, config, takeable === undefined ? options : { ...options, takeable });
}

function conflictError(conflicts: readonly Conflict[], { kind, info }: Call): StatusError {
  const causes = conflicts.map(({ writer, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${managerText(writer)}`,
    field: pathText(path),
  }));
  const group = kind.group === '' ? {} : { group: kind.group };
  return new StatusError(409, 'Conflict', conflictMessage(conflicts), {
    name: info.name,
    kind: kind.plural,
    ...group,
    causes,
  });
}

function conflictMessage(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (first !== undefined && conflicts.length === 1)
    return `Apply failed with 1 conflict: conflict with ${managerText(first.writer)}: ${pathText(first.path)}`;
  const byManager = Map.groupBy(conflicts, ({ writer }) => managerText(writer));
  const said = [...byManager.keys()]
    .sort()
    .flatMap((manager) => [
      `conflicts with ${manager}:`,
      ...(byManager.get(manager) ?? []).map(({ path }) => `- ${pathText(path)}`),
    ]);
  return `Apply failed with ${conflicts.length} conflicts: ${said.join('\n')}`;
}

function managerText({ manager, operation, apiVersion, subresource }: Writer): string {
  const name = JSON.stringify(manager) + (subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`);
  return operation === 'Update' ? `${name} using ${apiVersion}` : name;
}
