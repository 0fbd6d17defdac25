/** exec, attach and port-forward, for the streams that clients open. */

import { mkdirSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { join } from 'node:path';
import { openNetns } from '#kernel/netns/netns.ts';
import { tcpInNetns } from '#kernel/netns/sockets.ts';
import type { ContainerKeeper } from '#lab/kubelet/container-keeper.ts';
import type { KubeletContext } from '#lab/kubelet/context.ts';
import type { Components } from '#lab/kubelet/mirror/components.ts';
import type { PodManager } from '#lab/kubelet/pod-manager.ts';
import { attachSession } from '#lab/kubelet/stream/attach-session.ts';
import {
  type AttachRequest,
  type PodRef,
  type PortForwardRequest,
  type StreamBackend,
  StreamRefusal,
} from '#lab/kubelet/stream/backend.ts';
import { execSession } from '#lab/kubelet/stream/exec-session.ts';
import type { PodWorker } from '#lab/kubelet/worker.ts';

export function streamBackend(ctx: KubeletContext, manager: PodManager, components?: Components): StreamBackend {
  const directory = join(ctx.layout.runDir, 'exec');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return {
    async exec(request) {
      refuseComponent(components, request.pod);
      const { id } = runningContainer(manager, request);
      return execSession({ runtime: ctx.runtime, containerId: id, tend: ctx.programs.tend, directory }, request);
    },
    async attach(request) {
      refuseComponent(components, request.pod);
      const { id, keeper } = runningContainer(manager, request);
      // Whether there is a terminal is the container's nature, not the client's wish.
      const session = await attachSession(ctx.layout.attachSocket(id), request);
      const isTerminal = keeper.container.tty === true;
      return isTerminal ? session : { ...session, resize: () => undefined };
    },
    async portForward(request) {
      refuseComponent(components, request.pod);
      return portForward(manager, request);
    },
  };
}

/** A program of the lab has no container that could be entered. */
function refuseComponent(components: Components | undefined, { namespace, name }: PodRef): void {
  const component = components?.find(namespace, name);
  if (component === undefined) return;
  const where = component.tier === 'node' ? '`polder lab shell NODE` enters its node' : 'it runs beside the nodes';
  throw new StreamRefusal(400, `pod ${name} is a program that the lab's supervisor runs, not a container: ${where}`);
}

function findWorker(manager: PodManager, { namespace, name, uid }: PodRef): PodWorker {
  const worker = manager.get(namespace, name, uid);
  if (worker === undefined) throw new StreamRefusal(404, `pod does not exist: ${name}_${namespace}`);
  return worker;
}

function runningContainer(manager: PodManager, request: AttachRequest): { id: string; keeper: ContainerKeeper } {
  const { pod, container } = request;
  const keeper = findWorker(manager, pod).keeper(container);
  if (keeper === undefined) throw new StreamRefusal(404, `container not found ("${container}")`);
  if (!keeper.isRunning) throw new StreamRefusal(400, `container not running ("${container}")`);
  return { id: keeper.latest?.id ?? '', keeper };
}

/** To the pod's own loopback, IPv4 first: a program that listens there only is what port-forward is for. */
async function portForward(manager: PodManager, { pod, port }: PortForwardRequest): Promise<Socket> {
  const worker = findWorker(manager, pod);
  const pid = worker.sandbox?.pid;
  if (pid === undefined) throw new StreamRefusal(400, `pod ${pod.name} is not running`);
  if (worker.pod.spec.hostNetwork === true) return connected(connect({ host: '127.0.0.1', port, allowHalfOpen: true }));
  try {
    return await connectInside(pid, port, 4);
  } catch (error) {
    return connectInside(pid, port, 6).catch(() => Promise.reject(error));
  }
}

function connectInside(pid: number, port: number, family: 4 | 6): Promise<Socket> {
  using ns = openNetns({ pid });
  const socket = new Socket({ fd: tcpInNetns(ns, family), allowHalfOpen: true });
  return connected(socket.connect({ host: family === 4 ? '127.0.0.1' : '::1', port }));
}

function connected(socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.destroy();
      reject(error);
    });
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
