/** Keys, certificates and kubeconfig files of a lab, made before its API runs, so that all its programs start at once. */

import { existsSync, mkdirSync } from 'node:fs';
import { type LabPaths, labPaths, nodePaths } from '#lab/names.ts';
import { type LabSpec, LOOPBACK, UNDERLAY_API_ADDR, UNDERLAY_API_PORT } from '#lab/spec.ts';
import { ensureClusterKeys, ensureServerCertificate } from '#serve/api/pki/cluster.ts';
import { ADMIN, CONTROLLER, type KubeconfigOptions, nodeUser, writeKubeconfig } from '#serve/api/pki/kubeconfig.ts';

/** The API as processes of the machine reach it. */
export function loopbackServer(spec: LabSpec): string {
  return `https://${LOOPBACK}:${spec.apiPort}`;
}

/** The API as nodes reach it. */
export const UNDERLAY_SERVER = `https://${UNDERLAY_API_ADDR}:${UNDERLAY_API_PORT}`;

/** Makes what is missing. Once the last file is there, everything else is. */
export async function ensureKeys(spec: LabSpec): Promise<void> {
  const paths = labPaths(spec.name);
  await ensureClusterKeys(paths.dir);
  await ensureServerCertificate(paths.dir, [LOOPBACK, UNDERLAY_API_ADDR]);
  for (const node of spec.nodes) await ensureNodeKubeconfig(paths, node.name);
  const common = { dataDir: paths.dir, cluster: spec.name };
  const server = loopbackServer(spec);
  await ensureKubeconfig(paths.controllerKubeconfig, { ...common, server, user: CONTROLLER, credential: 'token' });
  await ensureKubeconfig(paths.insideKubeconfig, { ...common, server: UNDERLAY_SERVER, user: ADMIN });
  await ensureKubeconfig(paths.kubeconfig, { ...common, server, user: ADMIN });
}

/** For the programs of one node. */
export async function ensureNodeKubeconfig(paths: LabPaths, node: string): Promise<void> {
  const at = nodePaths(paths, node);
  mkdirSync(at.dir, { recursive: true });
  await ensureKubeconfig(at.kubeconfig, {
    dataDir: paths.dir,
    cluster: paths.lab,
    server: UNDERLAY_SERVER,
    user: nodeUser(node),
    credential: 'token',
  });
}

async function ensureKubeconfig(file: string, options: KubeconfigOptions): Promise<void> {
  if (!existsSync(file)) await writeKubeconfig(file, options);
}
