/** The files and folders of a node that its programs expect to find: above all its CNI configuration and plugins. */

import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { installAlone } from '#cni/daemonless/install.ts';
import { PLUGINS } from '#cni/plugins/table.ts';
import { labPaths, type NodePaths, nodePaths } from '#lab/names.ts';
import { NATIVE_BIN } from '#lab/programs.ts';
import { PolderError } from '#spec/errors.ts';

/** What the plugin `polder` is told by a runtime. */
const CAPABILITIES = { ips: true, mac: true, dns: true };

/**
 * What a container runtime reads; the agent knows the rest (attachment, addresses) from the cluster's settings. With the
 * pod's annotations at hand, polder-multi asks the API only for pods that want further networks.
 */
function conflist(at: NodePaths): object {
  const multi = {
    type: 'polder-multi',
    capabilities: { ...CAPABILITIES, 'io.kubernetes.cri.pod-annotations': true },
    cniDir: `${at.cniCacheDir}/multi`,
    delegates: [{ type: 'polder', capabilities: CAPABILITIES }],
  };
  return { cniVersion: '1.0.0', cniVersions: ['0.4.0', '1.0.0', '1.1.0'], name: 'polder', plugins: [multi] };
}

/** Makes what is missing; what is there stays. @throws PolderError 'internal' if the native programs were not built. */
export function ensureNodeFiles(lab: string, node: string): NodePaths {
  const at = nodePaths(labPaths(lab), node);
  const dirs = [at.cniConfDir, at.cniBinDir, at.cniCacheDir, at.agentDir, at.kubeletDir, at.manifestDir, at.runDir];
  for (const dir of dirs) mkdirSync(dir, { recursive: true });
  const file = `${at.cniConfDir}/10-polder.conflist`;
  if (!existsSync(file)) {
    writeFileSync(`${file}.new`, `${JSON.stringify(conflist(at), null, 2)}\n`);
    renameSync(`${file}.new`, file);
  }
  for (const type of PLUGINS.keys()) linkPlugin(`${at.cniBinDir}/${type}`);
  // A lab has its agents; a worker that outlives its last call would still be there when the lab is taken down.
  installAlone(at.cniBinDir, { node: process.execPath, workerIdleMs: 0 });
  return at;
}

/** One shim is every plugin; which one, it reads from its own name. */
function linkPlugin(path: string): void {
  const shim = `${NATIVE_BIN}/cni-shim`;
  if (!existsSync(shim)) throw new PolderError('internal', { what: `There is no ${shim}: native/build.sh makes it.` });
  if (existsSync(path)) return;
  rmSync(path, { force: true }); // a link to where an earlier copy of Polder was
  symlinkSync(shim, path);
}

export function removeNodeFiles(lab: string, node: string): void {
  const at = nodePaths(labPaths(lab), node);
  for (const dir of [at.dir, at.runDir]) rmSync(dir, { recursive: true, force: true });
}
