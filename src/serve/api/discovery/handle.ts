/** Requests that are not for a resource: discovery, version, OpenAPI. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Document, sendDocument } from '#serve/api/discovery/documents.ts';
import { openApiIndex, openApiV2, openApiV2Protobuf, openApiV3 } from '#serve/api/discovery/openapi.ts';
import {
  aggregated,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
  rootPaths,
} from '#serve/api/discovery/resources.ts';
import { VERSION } from '#serve/api/discovery/version.ts';
import { sendText } from '#serve/api/http/respond.ts';
import { methodNotAllowed, noSuchPath } from '#serve/api/http/status-error.ts';
import type { Kinds } from '#serve/api/kinds.ts';
import { OPENAPI_V2_ASKED, OPENAPI_V2_SENT } from '#serve/api/protobuf/openapi-v2.ts';
import type { JsonObject } from '#spec/kinds/json.ts';

/** Answers when the path is one of discovery's. @throws StatusError 404 */
export function discover(kinds: Kinds, path: string, request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed();
  const parts = path.split('/').filter(Boolean);
  const version = aggregatedVersionOf(request.headers.accept ?? '');
  if (version !== undefined && parts.length === 1 && (parts[0] === 'api' || parts[0] === 'apis')) {
    const type = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    sendText(response, 200, JSON.stringify(aggregated(kinds, parts[0] === 'api', version)), type);
    return;
  }
  if (parts[0] === 'openapi') {
    sendOpenApi(kinds, parts.slice(1), request, response);
    return;
  }
  const found = documentAt(kinds, parts, request);
  if (found === undefined) throw noSuchPath();
  sendText(response, 200, JSON.stringify(found));
}

/** The version of apidiscovery.k8s.io that the client reads. */
function aggregatedVersionOf(accept: string): string | undefined {
  for (const part of accept.split(',')) {
    const found = /^\s*application\/json;g=apidiscovery\.k8s\.io;v=(v2|v2beta1);as=APIGroupDiscoveryList/.exec(
      part,
    )?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}

function documentAt(kinds: Kinds, parts: readonly string[], request: IncomingMessage): JsonObject | undefined {
  const [root, group, version, more] = parts;
  if (root === undefined) return rootPaths(kinds);
  if (more !== undefined) return undefined;
  if (root === 'version' && group === undefined) return VERSION;
  if (root === 'api') {
    if (version !== undefined) return undefined;
    return group === undefined ? apiVersions(request.headers.host ?? '') : apiResourceList(kinds, '', group);
  }
  if (root !== 'apis') return undefined;
  if (group === undefined) return apiGroupList(kinds);
  return version === undefined ? apiGroup(kinds, group) : apiResourceList(kinds, group, version);
}

/** @throws StatusError 404 */
function sendOpenApi(kinds: Kinds, parts: readonly string[], request: IncomingMessage, response: ServerResponse): void {
  const [form, root, ...rest] = parts;
  if (form === 'v3' && root === undefined) sendText(response, 200, JSON.stringify(openApiIndex(kinds)));
  else if (form === 'v2' && root === undefined && (request.headers.accept ?? '').includes(OPENAPI_V2_ASKED))
    sendDocument(request, response, openApiV2Protobuf(kinds), OPENAPI_V2_SENT);
  else if (form === 'v2' && root === undefined) sendDocument(request, response, openApiV2(kinds));
  else if (form === 'v3') sendDocument(request, response, openApiV3At(kinds, root ?? '', rest));
  else throw noSuchPath();
}

function openApiV3At(kinds: Kinds, root: string, rest: readonly string[]): Document {
  const [group = '', version = ''] = root === 'api' ? ['', ...rest] : rest;
  if (kinds.in({ group, version }).length === 0) throw noSuchPath();
  return openApiV3(kinds, { group, version });
}
