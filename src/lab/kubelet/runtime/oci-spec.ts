/**
 * A container as the OCI runtime reads it (`config.json`, OCI runtime specification 1.0). Pure: everything that had to
 * be looked up stands in the input.
 *
 * Left out on purpose: rlimits and oomScoreAdj (without CAP_SYS_RESOURCE the runtime dies of them with a riddle), and
 * the mount of /sys/fs/cgroup.
 */

import type { SecurityContext } from '#lab/kubelet/pod.ts';

export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface ContainerInput {
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly workingDir: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly tty: boolean;
  readonly security: SecurityContext;
  /** PID of the pod's pause. */
  readonly pausePid: number;
  readonly hostNetwork: boolean;
  readonly hostPid: boolean;
  readonly shareProcesses: boolean;
  /** A process whose PID namespace it joins instead of one of its own. */
  readonly targetPid?: number;
  readonly cgroupsPath: string;
  /** Bytes and CPU time; undefined: no limit, or no controller for it. */
  readonly memoryLimit?: number;
  readonly cpuLimit?: number;
  readonly cpuRequest?: number;
  readonly binds: readonly Bind[];
  /** Folders and files of the machine that no pod may see. */
  readonly hidden: readonly HiddenPath[];
}

export interface HiddenPath {
  readonly path: string;
  /** Octal, of the empty folder that stands there instead; undefined: a file, which reads as empty. */
  readonly mode?: string;
}

interface Mount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** Docker's default set, which holds NET_RAW (ping). */
export const DEFAULT_CAPABILITIES = [
  'CAP_AUDIT_WRITE',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_MKNOD',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
] as const;

/** Those that the runtimes of Debian 12 know; a privileged container gets what the machine's root has of them. */
export const ALL_CAPABILITIES = [
  ...DEFAULT_CAPABILITIES,
  'CAP_AUDIT_CONTROL',
  'CAP_AUDIT_READ',
  'CAP_BLOCK_SUSPEND',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
  'CAP_DAC_READ_SEARCH',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_LEASE',
  'CAP_LINUX_IMMUTABLE',
  'CAP_MAC_ADMIN',
  'CAP_MAC_OVERRIDE',
  'CAP_NET_ADMIN',
  'CAP_NET_BROADCAST',
  'CAP_PERFMON',
  'CAP_SYSLOG',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_MODULE',
  'CAP_SYS_NICE',
  'CAP_SYS_PACCT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_WAKE_ALARM',
] as const;

/** What a container's processes may do, of what the kubelet itself may hand on. */
export function capabilitiesOf(security: SecurityContext, held: ReadonlySet<string>): string[] {
  const full = (name: string) => (name.startsWith('CAP_') ? name : `CAP_${name}`).toUpperCase();
  if (security.privileged === true) return ALL_CAPABILITIES.filter((name) => held.has(name));
  const drop = (security.capabilities?.drop ?? []).map(full);
  const add = (security.capabilities?.add ?? []).map(full);
  const set = new Set<string>(drop.includes('CAP_ALL') ? [] : DEFAULT_CAPABILITIES);
  for (const name of drop) set.delete(name);
  for (const name of add.includes('CAP_ALL') ? ALL_CAPABILITIES : add) set.add(name);
  return [...set].filter((name) => held.has(name)).sort();
}

const MASKED = [
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const CPU_PERIOD = 100_000;

/** The whole `config.json`. `held`: capabilities of the kubelet's own bounding set. */
export function ociSpec(input: ContainerInput, held: ReadonlySet<string>): object {
  const privileged = input.security.privileged === true;
  const capabilities = capabilitiesOf(input.security, held);
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: input.tty,
      user: { uid: input.uid, gid: input.gid, additionalGids: input.groups },
      args: input.args,
      env: Array.from(input.env, ([name, value]) => `${name}=${value}`),
      cwd: input.workingDir,
      capabilities: {
        bounding: capabilities,
        ...(input.uid === 0 ? { effective: capabilities, permitted: capabilities } : {}),
      },
      noNewPrivileges: input.security.allowPrivilegeEscalation === false,
    },
    root: { path: 'rootfs', readonly: input.security.readOnlyRootFilesystem === true },
    mounts: mountsOf(input, privileged),
    linux: {
      cgroupsPath: input.cgroupsPath,
      namespaces: namespacesOf(input),
      resources: resourcesOf(input, privileged),
      ...(privileged ? {} : { maskedPaths: [...MASKED, ...hiddenFiles(input)], readonlyPaths: READ_ONLY }),
    },
  };
}

function hiddenFiles(input: ContainerInput): string[] {
  return input.hidden.filter((hidden) => hidden.mode === undefined).map((hidden) => hidden.path);
}

function hiddenFolders(input: ContainerInput): Mount[] {
  return input.hidden.flatMap((hidden) =>
    hidden.mode === undefined ? [] : [tmpfs(hidden.path, `mode=${hidden.mode}`)],
  );
}

function namespacesOf(input: ContainerInput): object[] {
  const of = (type: string, file: string, pid = input.pausePid) => ({ type, path: `/proc/${pid}/ns/${file}` });
  const shared = input.shareProcesses ? of('pid', 'pid') : { type: 'pid' };
  const pids = input.targetPid === undefined ? shared : of('pid', 'pid', input.targetPid);
  return [
    { type: 'mount' },
    of('ipc', 'ipc'),
    of('uts', 'uts'),
    ...(input.hostNetwork ? [] : [of('network', 'net')]),
    ...(input.hostPid ? [] : [pids]),
  ];
}

/** Without limits no `memory` and `cpu` at all: on a machine that gives no such controller the runtime would refuse. */
function resourcesOf(input: ContainerInput, privileged: boolean): object {
  const cpu = {
    ...(input.cpuRequest === undefined ? {} : { shares: Math.max(2, Math.round(input.cpuRequest * 1024)) }),
    ...(input.cpuLimit === undefined
      ? {}
      : { quota: Math.max(1000, Math.round(input.cpuLimit * CPU_PERIOD)), period: CPU_PERIOD }),
  };
  return {
    devices: [{ allow: privileged, access: 'rwm' }],
    ...(input.memoryLimit === undefined ? {} : { memory: { limit: input.memoryLimit } }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
  };
}

function tmpfs(destination: string, ...options: string[]): Mount {
  return { destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', ...options] };
}

function mountsOf(input: ContainerInput, privileged: boolean): Mount[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      ...tmpfs('/dev', 'strictatime', 'mode=755', 'size=65536k'),
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    tmpfs('/dev/shm', 'noexec', 'mode=1777', 'size=65536k'),
    {
      destination: '/sys',
      type: 'sysfs',
      source: 'sysfs',
      options: ['nosuid', 'noexec', 'nodev', privileged ? 'rw' : 'ro'],
    },
    ...hiddenFolders(input),
    ...input.binds.map(bindMount),
  ];
}

function bindMount(bind: Bind): Mount {
  const access = bind.readOnly ? 'ro' : 'rw';
  return { destination: bind.target, type: 'bind', source: bind.source, options: ['rbind', 'rprivate', access] };
}
