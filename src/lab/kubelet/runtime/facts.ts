/** What the kubelet must know of the machine, read once. */

import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { NodeFacts } from '#lab/kubelet/context.ts';
import { hasController } from '#lab/kubelet/runtime/cgroup.ts';
import { readText } from '#lab/kubelet/runtime/disk.ts';

/** By number, as linux/capability.h has them. */
const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
] as const;

/** Names of the set bits of a mask as /proc shows it. */
export function capabilityNames(hexMask: string): Set<string> {
  const mask = BigInt(`0x${hexMask}`);
  return new Set(CAPABILITIES.flatMap((name, bit) => ((mask >> BigInt(bit)) & 1n ? [`CAP_${name}`] : [])));
}

export function machineFacts(): NodeFacts {
  // What is neither permitted nor in the bounding set cannot be handed on.
  const status = readFileSync('/proc/self/status', 'utf8');
  const mask = (name: string) => capabilityNames(new RegExp(`^${name}:\\s*(\\w+)$`, 'm').exec(status)?.[1] ?? '0');
  return {
    cpus: cpus().length,
    memory: totalmem(),
    capabilities: mask('CapBnd').intersection(mask('CapPrm')),
    hasMemoryController: hasController('memory'),
    hasCpuController: hasController('cpu'),
    resolvConf: readText('/etc/resolv.conf') ?? '',
    hosts: readText('/etc/hosts') ?? '',
  };
}
