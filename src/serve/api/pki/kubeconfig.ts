/** Kubeconfig files: how clients of the cluster find it and prove who they are. */
import { renameSync, writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { ensureClusterKeys, readCa } from '#serve/api/pki/cluster.ts';
import { readPkiFile } from '#serve/api/pki/files.ts';
import { TokenIssuer, type User } from '#serve/api/pki/tokens.ts';

export interface KubeconfigOptions {
  /** The API server's data directory; its keys are made when they are missing. */
  readonly dataDir: string;
  /** For example `https://127.0.0.1:6443`. */
  readonly server: string;
  readonly user: User;
  /** Name of the cluster, and of the context together with the user's; default `polder`. */
  readonly cluster?: string;
  /** How the user proves who it is; default `certificate`. */
  readonly credential?: 'certificate' | 'token';
}

/** Who may do everything, as kubeadm names it. */
export const ADMIN: User = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };

/** The kubelet or agent of a node (Kubernetes "Using Node Authorization"). */
export function nodeUser(node: string): User {
  return { name: `system:node:${node}`, groups: ['system:nodes', 'system:authenticated'] };
}

export const CONTROLLER: User = { name: 'system:kube-controller-manager', groups: ['system:authenticated'] };

/** The YAML of a kubeconfig file. It needs no running server. */
export async function makeKubeconfig(options: KubeconfigOptions): Promise<string> {
  await ensureClusterKeys(options.dataDir);
  const cluster = options.cluster ?? 'polder';
  const context = `${options.user.name}@${cluster}`;
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: cluster,
          cluster: {
            server: options.server,
            'certificate-authority-data': base64(readPkiFile(options.dataDir, 'ca.crt')),
          },
        },
      ],
      users: [{ name: options.user.name, user: await credentialOf(options) }],
      contexts: [{ name: context, context: { cluster, user: options.user.name } }],
      'current-context': context,
      preferences: {},
    },
    { lineWidth: 0 },
  );
}

/** Writes a kubeconfig file whole or not at all, readable by its owner only. */
export async function writeKubeconfig(path: string, options: KubeconfigOptions): Promise<void> {
  writeFileSync(`${path}.new`, await makeKubeconfig(options), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

async function credentialOf(options: KubeconfigOptions): Promise<Record<string, string>> {
  if (options.credential === 'token') {
    return { token: new TokenIssuer(options.dataDir).issue(options.user, Date.now()) };
  }
  const { makeClientCertificate } = await import('#serve/api/pki/certificates.ts');
  const groups = options.user.groups.filter((group) => group !== 'system:authenticated');
  const pair = await makeClientCertificate(readCa(options.dataDir), {
    commonName: options.user.name,
    organizations: groups,
  });
  return { 'client-certificate-data': base64(pair.certificate), 'client-key-data': base64(pair.key) };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
