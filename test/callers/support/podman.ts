/** Debian's podman with its CNI back end, on a machine of its own. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeImage } from './image.ts';
import type { Machine } from './machine.ts';

const BUSYBOX = '/bin/busybox';
export const IMAGE = 'polder.test/busybox:1';

export interface Podman {
  /** Runs `podman WORDS…`; it must succeed. @returns standard output without its last newline */
  must(...words: string[]): Promise<string>;
  /** Starts a container that does nothing, on the network. @returns its ID */
  idle(network: string, name: string, ...options: string[]): Promise<string>;
}

/** @param networks the chain of each network, by its name */
export async function setUpPodman(machine: Machine, bin: string, networks: Record<string, object[]>): Promise<Podman> {
  const dir = join(machine.dir, 'podman');
  mkdirSync(join(dir, 'net.d'), { recursive: true });
  for (const [name, plugins] of Object.entries(networks)) {
    const list = { cniVersion: '1.0.0', name, plugins };
    writeFileSync(join(dir, 'net.d', `${name}.conflist`), JSON.stringify(list));
  }
  writeFileSync(join(dir, 'containers.conf'), configOf(bin, join(dir, 'net.d')));
  writeFileSync(join(dir, 'storage.conf'), STORAGE);
  const env = { CONTAINERS_CONF: join(dir, 'containers.conf'), CONTAINERS_STORAGE_CONF: join(dir, 'storage.conf') };
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const must = async (...words: string[]) => (await machine.must('env', ...settings, 'podman', ...words)).trim();
  const image = join(machine.dir, 'busybox.tar');
  const tools = ['sleep', 'ping', 'cat'].map((name) => ({ name: `bin/${name}`, link: '/bin/busybox' }));
  const files = [{ name: 'bin/busybox', from: BUSYBOX }, ...tools];
  writeImage(image, { tag: IMAGE, entrypoint: [], files });
  await must('load', '-q', '-i', image);
  return {
    must,
    idle: (network, name, ...options) =>
      must(
        ...['run', '-d', '--network', network, '--name', name, '--cgroup-parent', `/${machine.cgroup}`, ...options],
        ...['--stop-signal', 'KILL', IMAGE, 'sleep', '1000'],
      ),
  };
}

/** The limits are what a machine without CAP_SYS_RESOURCE can give. */
function configOf(bin: string, confDir: string): string {
  return `[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:8192"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "none"
[network]
network_backend = "cni"
cni_plugin_dirs = ["${bin}"]
network_config_dir = "${confDir}"
`;
}

const STORAGE = `[storage]
driver = "vfs"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
`;
