/** As much of the container runtime interface as a pod's sandbox needs (k8s.io/cri-api, runtime/v1/api.proto). */

import { openGrpc } from './grpc.ts';
import { decode, encode, type Fields, type Values } from './protobuf.ts';

const METADATA: Fields = { name: [1, 'text'], uid: [2, 'text'], namespace: [3, 'text'], attempt: [4, 'number'] };

const CONFIG: Fields = {
  metadata: [1, METADATA],
  hostname: [2, 'text'],
  dns: [4, { servers: [1, ['text']], searches: [2, ['text']], options: [3, ['text']] }],
  portMappings: [
    5,
    [{ protocol: [1, 'number'], containerPort: [2, 'number'], hostPort: [3, 'number'], hostIp: [4, 'text'] }],
  ],
  labels: [6, 'map'],
  annotations: [7, 'map'],
  linux: [8, { cgroupParent: [1, 'text'] }],
};

const RUN: Fields = { config: [1, CONFIG], handler: [2, 'text'] };
const ID: Fields = { id: [1, 'text'] };
const ASK_STATUS: Fields = { id: [1, 'text'], verbose: [2, 'bool'] };
const STATUS: Fields = {
  status: [1, { id: [1, 'text'], state: [3, 'number'], network: [5, { ip: [1, 'text'], more: [2, [ID]] }] }],
  info: [2, 'map'],
};
const LIST: Fields = { items: [1, [{ id: [1, 'text'], metadata: [2, METADATA], state: [3, 'number'] }]] };
const RUNTIME: Fields = { status: [1, { conditions: [1, [{ type: [1, 'text'], status: [2, 'bool'] }]] }] };

export interface PortMapping {
  /** 0 TCP, 1 UDP, 2 SCTP. */
  readonly protocol: 0 | 1 | 2;
  readonly containerPort: number;
  readonly hostPort: number;
}

export interface PodConfig {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  /** How often it was tried before. */
  readonly attempt?: number;
  readonly portMappings?: readonly PortMapping[];
  readonly annotations?: Record<string, string>;
  readonly dns?: { readonly servers: string[]; readonly searches: string[]; readonly options: string[] };
}

export interface SandboxStatus {
  readonly ready: boolean;
  /** '' for a sandbox without network. */
  readonly ip: string;
  /** First process of the sandbox, in the runtime's PID namespace. */
  readonly pid: number;
  /** What ADD gave, in containerd's own form. */
  readonly cniResult: CriCniResult;
}

export interface CriCniResult {
  readonly DNS?: readonly { nameservers?: string[]; search?: string[]; options?: string[] }[];
  readonly Interfaces?: Record<string, { IPConfigs?: { IP: string; Gateway: string }[]; Mac?: string }>;
}

export interface CriClient extends Disposable {
  /** @param timeoutMs the caller's deadline @returns the sandbox's ID */
  runPod(config: PodConfig, handler?: string, timeoutMs?: number): Promise<string>;
  status(id: string): Promise<SandboxStatus>;
  stopPod(id: string): Promise<void>;
  removePod(id: string): Promise<void>;
  /** IDs of all sandboxes. */
  list(): Promise<string[]>;
  /** True if the runtime says that the network is ready. */
  networkReady(): Promise<boolean>;
}

/** @param cgroup parent of the pods' cgroups */
export function openCri(socketPath: string, cgroup: string): CriClient {
  const channel = openGrpc(socketPath);
  const call = async (method: string, ask: Fields, values: Values, answer: Fields, timeoutMs?: number) =>
    decode(answer, await channel.call(`/runtime.v1.RuntimeService/${method}`, encode(ask, values), timeoutMs));
  return {
    async runPod(config, handler = '', timeoutMs?: number) {
      const answer = await call(
        'RunPodSandbox',
        RUN,
        { config: sandboxConfig(config, cgroup), handler },
        ID,
        timeoutMs,
      );
      return String(answer.id);
    },
    async status(id) {
      const answer = await call('PodSandboxStatus', ASK_STATUS, { id, verbose: true }, STATUS);
      return readStatus(answer as { status: { state: number; network: { ip: string } }; info: { info: string } });
    },
    stopPod: async (id) => void (await call('StopPodSandbox', ID, { id }, {})),
    removePod: async (id) => void (await call('RemovePodSandbox', ID, { id }, {})),
    async list() {
      const { items } = (await call('ListPodSandbox', {}, {}, LIST)) as { items: { id: string }[] };
      return items.map(({ id }) => id);
    },
    async networkReady() {
      const answer = await call('Status', {}, {}, RUNTIME);
      const { conditions } = answer.status as { conditions: { type: string; status: boolean }[] };
      return conditions.some(({ type, status }) => type === 'NetworkReady' && status);
    },
    [Symbol.dispose]: () => channel[Symbol.dispose](),
  };
}

function sandboxConfig(config: PodConfig, cgroup: string) {
  const { name, namespace = 'default', uid = `uid-${name}`, attempt = 0, ...rest } = config;
  return {
    metadata: { name, namespace, uid, attempt },
    hostname: name,
    ...(rest.dns && { dns: rest.dns }),
    ...(rest.portMappings && { portMappings: rest.portMappings.map((mapping) => ({ ...mapping })) }),
    ...(rest.annotations && { annotations: rest.annotations }),
    linux: { cgroupParent: `/${cgroup}` },
  };
}

function readStatus(answer: { status: { state: number; network: { ip: string } }; info: { info: string } }) {
  const info = JSON.parse(answer.info.info) as { pid: number; cniResult: CriCniResult };
  const { state, network } = answer.status;
  return { ready: state === 0, ip: network.ip, pid: info.pid, cniResult: info.cniResult };
}
