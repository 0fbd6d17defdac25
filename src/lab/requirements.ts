/** What the machine must have for a lab, tried out in a namespace that lives only for the trial. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNewNetns } from '#kernel/netns/enter.ts';
import { machineHierarchies } from '#lab/cgroup.ts';
import { PROFILES, type ProfileName } from '#spec/cluster.ts';
import { PolderError } from '#spec/errors.ts';
import type { LinkInfo } from '#wire/netlink/values.ts';

/** @throws PolderError 'kernel-feature-missing' that names the first that is missing; nothing has been changed by then. */
export function checkKernel(profile: ProfileName): void {
  checkLinks(profile);
  checkFileSystem('overlay', 'overlay');
  if (machineHierarchies().unified === undefined) throw missing('cgroup v2 hierarchy mounted');
  if (!existsSync('/proc/self/ns/net')) throw missing('network namespaces');
}

function checkLinks(profile: ProfileName): void {
  const { encapsulation } = PROFILES[profile];
  const kinds: LinkInfo[] = [{ kind: 'veth' }, { kind: 'bridge' }];
  if (encapsulation.kind === 'vxlan') kinds.push({ kind: 'vxlan', vni: 1, port: 4789, learning: false });
  const failed = inNewNetns(() => {
    using netlink = openNetlink();
    return kinds.find((info) => netlink.run([{ op: 'link.add', link: { name: `try-${info.kind}`, info } }]).length > 0);
  });
  if (failed !== undefined) throw missing(`interfaces of kind ${failed.kind}`);
}

/** Kernels load file systems at the first mount; those that are modules may not be in the list before. */
function checkFileSystem(name: string, module: string): void {
  if (hasFileSystem(name)) return;
  spawnSync('modprobe', [module], { stdio: 'ignore' });
  if (!hasFileSystem(name)) throw missing(`file system ${name}`, `, which pods' root file systems are made of`);
}

function hasFileSystem(name: string): boolean {
  return readFileSync('/proc/filesystems', 'utf8')
    .split('\n')
    .some((line) => line.split('\t')[1] === name);
}

function missing(feature: string, detail = ''): PolderError {
  return new PolderError('kernel-feature-missing', { feature, detail });
}
