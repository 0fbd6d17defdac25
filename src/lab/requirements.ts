/** What the machine must have for a lab, tried out in a namespace that lives only for the trial. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNewNetns } from '#kernel/netns/enter.ts';
import { openNft } from '#kernel/nft/nft.ts';
import { machineHierarchies } from '#lab/cgroup.ts';
import { PROFILES, type ProfileName } from '#spec/cluster.ts';
import { PolderError } from '#spec/errors.ts';
import { kernelHas } from '#sync/features.ts';
import type { LinkInfo } from '#wire/netlink/values.ts';
import { masquerade } from '#wire/nft/build.ts';

/** @throws PolderError 'kernel-feature-missing' that names the first that is missing; nothing has been changed by then. */
export function checkKernel(profile: ProfileName): void {
  inNewNetns(() => {
    checkLinks(profile);
    checkNftables();
  });
  checkBird(profile);
  checkFileSystem('overlay', 'overlay');
  if (machineHierarchies().unified === undefined) throw missing('cgroup v2 hierarchy mounted');
  if (!existsSync('/proc/self/ns/net')) throw missing('network namespaces');
}

function checkLinks(profile: ProfileName): void {
  const { pool, encryption } = PROFILES[profile];
  const kinds: LinkInfo[] = [{ kind: 'veth' }, { kind: 'bridge' }];
  if (pool.vxlan !== 'never') kinds.push({ kind: 'vxlan', vni: 1, port: 4789, learning: false });
  // Without the kernel's own IPIP an eBPF program on this one encapsulates.
  if (pool.ipip !== 'never' && !kernelHas('ipip')) kinds.push({ kind: 'ifb' });
  if (encryption === 'wireguard') kinds.push({ kind: 'wireguard' });
  using netlink = openNetlink();
  const lacks = (info: LinkInfo) =>
    netlink.run([{ op: 'link.add', link: { name: `try-${info.kind}`, info } }]).length > 0;
  const failed = kinds.find(lacks);
  if (failed !== undefined) throw missing(`interfaces of kind ${failed.kind}`);
}

function checkBird(profile: ProfileName): void {
  if (PROFILES[profile].distribution !== 'bird' || spawnSync('bird', ['--version']).status === 0) return;
  throw new PolderError('program-missing', { program: 'bird', needs: `Profile ${profile}`, package: 'bird2' });
}

/** What masquerading needs. */
function checkNftables(): void {
  using nft = openNft();
  const base = { type: 'nat', hook: 'postrouting', prio: 100, policy: 'accept' } as const;
  const failure = nft.apply({ family: 'inet', name: 'try' }, [
    { op: 'table.add' },
    { op: 'chain.add', chain: { name: 'nat', base } },
    { op: 'rule.add', chain: 'nat', rule: { expr: [masquerade] } },
  ]);
  if (failure !== undefined)
    throw missing(failure.errors[0]?.missing ?? 'nftables', `: ${failure.text.trim().split('\n')[0]}`);
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
