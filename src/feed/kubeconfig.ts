/** Reads a kubeconfig file (kind Config, v1) and the configuration that a pod finds in its own file system. */

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import type { ApiConfig } from '#feed/api-config.ts';
import { PolderError } from '#spec/errors.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The cluster and user of one context of the file.
 * @param context the current context unless one is named.
 * @throws PolderError 'file-invalid' with the file's name and what is wrong.
 */
export function loadKubeconfig(path: string, context?: string): ApiConfig {
  return parseKubeconfig(readText(path, path), path, context);
}

/** As `loadKubeconfig`, of text; relative file names in it are relative to `path`. */
export function parseKubeconfig(text: string, path: string, context?: string): ApiConfig {
  const file = parseYaml(text, path);
  const contextName = context ?? textOf(file['current-context']);
  if (contextName === undefined) throw invalid(path, 'it has no current-context and none was named');
  const chosen = entry(file, 'contexts', contextName, 'context', path);
  const cluster = entry(file, 'clusters', textOf(chosen.cluster) ?? '', 'cluster', path);
  const userName = textOf(chosen.user);
  const user = userName === undefined ? {} : entry(file, 'users', userName, 'user', path);
  return { ...clusterOf(cluster, path), ...userOf(user, path), ...maybe('namespace', textOf(chosen.namespace)) };
}

/** What a pod knows of its API server. `env` holds KUBERNETES_SERVICE_HOST and _PORT. @throws PolderError 'file-invalid' outside a pod. */
export function loadInCluster(
  env: Readonly<Record<string, string | undefined>>,
  directory = '/var/run/secrets/kubernetes.io/serviceaccount',
): ApiConfig {
  const host = env.KUBERNETES_SERVICE_HOST;
  const port = env.KUBERNETES_SERVICE_PORT;
  if (!host || !port) throw invalid(directory, 'this is no pod: KUBERNETES_SERVICE_HOST and _PORT are not set');
  const ca = readText(resolve(directory, 'ca.crt'), directory);
  const tokenFile = resolve(directory, 'token');
  const token = readText(tokenFile, directory).trim();
  return { server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`, ca, token, tokenFile };
}

function clusterOf(cluster: Fields, path: string): ApiConfig {
  const server = textOf(cluster.server);
  if (server === undefined || !URL.canParse(server)) {
    throw invalid(
      path,
      `the cluster's server is ${JSON.stringify(cluster.server)}, not a URL such as https://127.0.0.1:6443`,
    );
  }
  return {
    server: server.replace(/\/+$/, ''),
    ...maybe('ca', pemOf(cluster, 'certificate-authority', path)),
    ...maybe('serverName', textOf(cluster['tls-server-name'])),
    ...(cluster['insecure-skip-tls-verify'] === true ? { insecure: true } : {}),
  };
}

function userOf(user: Fields, path: string): Partial<ApiConfig> {
  const cert = pemOf(user, 'client-certificate', path);
  const key = pemOf(user, 'client-key', path);
  if ((cert === undefined) !== (key === undefined)) {
    throw invalid(path, `the user has a client ${cert ? 'certificate but no key' : 'key but no certificate'}`);
  }
  for (const unsupported of ['exec', 'auth-provider']) {
    if (user[unsupported])
      throw invalid(path, `the user's "${unsupported}" is not supported; use a certificate or a token`);
  }
  const tokenFile = textOf(user.tokenFile);
  const username = textOf(user.username);
  return {
    ...maybe('cert', cert),
    ...maybe('key', key),
    ...maybe('token', textOf(user.token)),
    ...maybe('tokenFile', tokenFile === undefined ? undefined : resolve(dirname(path), tokenFile)),
    ...maybe('basic', username === undefined ? undefined : { username, password: textOf(user.password) ?? '' }),
  };
}

/** `field-data` as base64, else the file that `field` names. */
function pemOf(fields: Fields, field: string, path: string): Buffer | undefined {
  const data = textOf(fields[`${field}-data`]);
  if (data !== undefined) {
    const bytes = Buffer.from(data, 'base64');
    if (!bytes.includes('-----BEGIN ')) throw invalid(path, `${field}-data is not base64 of PEM text`);
    return bytes;
  }
  const file = textOf(fields[field]);
  return file === undefined ? undefined : Buffer.from(readText(resolve(dirname(path), file), path));
}

/** The entry `name` of one of the file's lists: `{name, cluster: {…}}`. */
function entry(file: Fields, list: string, name: string, field: string, path: string): Fields {
  const entries = Array.isArray(file[list]) ? file[list].filter(isFields) : [];
  const found = entries.find((e) => e.name === name)?.[field];
  if (isFields(found)) return found;
  const names = entries.map((e) => String(e.name)).join(', ') || 'none';
  throw invalid(path, `it has no ${field} "${name}" (it has: ${names})`);
}

function parseYaml(text: string, path: string): Fields {
  let file: unknown;
  try {
    file = parse(text);
  } catch (error) {
    throw invalid(path, `it is not YAML: ${messageOf(error)}`, error);
  }
  if (!isFields(file))
    throw invalid(path, 'it is not a kubeconfig: an object with clusters, users and contexts was expected');
  return file;
}

function readText(path: string, subject: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid(subject, `cannot read ${path}: ${messageOf(error)}`, error);
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A property that is left out when there is no value. */
function maybe<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Record<K, V>>);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function invalid(file: string, what: string, cause?: unknown): PolderError {
  return new PolderError('file-invalid', { file, what }, { cause });
}
