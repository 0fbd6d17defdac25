/** The sandbox with its network: made in one go, taken down in one go, each as often as it takes. */

import type { KubeletContext } from '#lab/kubelet/context.ts';
import { hostnameOf, type RunnablePod } from '#lab/kubelet/pod.ts';
import { writeWhole } from '#lab/kubelet/runtime/disk.ts';
import { hostsFile, resolvConf } from '#lab/kubelet/runtime/etc-files.ts';
import { newId } from '#lab/kubelet/runtime/ids.ts';
import { netnsPath, type Sandbox, startPause, stopPause, writeSandbox } from '#lab/kubelet/runtime/sandbox.ts';
import { addrOf } from '#net/prefix.ts';

const IFNAME = 'eth0';

function cniCall(pod: RunnablePod, sandbox: Sandbox) {
  const { namespace, name, uid } = pod.metadata;
  return {
    containerId: sandbox.id,
    netns: netnsPath(sandbox),
    ifname: IFNAME,
    args: {
      IgnoreUnknown: '1',
      K8S_POD_NAMESPACE: namespace,
      K8S_POD_NAME: name,
      K8S_POD_INFRA_CONTAINER_ID: sandbox.id,
      K8S_POD_UID: uid,
    },
    capabilityArgs: {
      portMappings: portMappings(pod),
      'io.kubernetes.cri.pod-annotations': pod.metadata.annotations ?? {},
    },
  };
}

function portMappings(pod: RunnablePod) {
  const ports = pod.spec.containers.flatMap((c) => c.ports ?? []).filter((port) => port.hostPort);
  return ports.map((port) => ({
    hostPort: port.hostPort ?? 0,
    containerPort: port.containerPort,
    protocol: (port.protocol ?? 'TCP').toLowerCase(),
    ...(port.hostIP ? { hostIP: port.hostIP } : {}),
  }));
}

/** Pause, then the network, then the files of /etc that name the addresses. Undoes itself. @throws Error for an event */
export async function makeSandbox(ctx: KubeletContext, pod: RunnablePod, attempt: number): Promise<Sandbox> {
  const { layout, options } = ctx;
  const { uid } = pod.metadata;
  const begun: Sandbox = { id: newId(), attempt, createdAt: new Date().toISOString() };
  writeSandbox(layout, uid, begun);
  let sandbox = begun;
  try {
    sandbox = await startPause(ctx.programs.pause, layout, pod, begun, options.node);
    const ips = pod.spec.hostNetwork === true ? [...options.nodeIps] : await attach(ctx, pod, sandbox);
    const whole: Sandbox = { ...sandbox, ips };
    writeEtc(ctx, pod, ips);
    writeSandbox(layout, uid, whole);
    return whole;
  } catch (error) {
    stopPause(sandbox);
    throw error;
  }
}

async function attach(ctx: KubeletContext, pod: RunnablePod, sandbox: Sandbox): Promise<string[]> {
  const short = sandbox.id.slice(0, 12);
  try {
    const result = await ctx.cni.add(cniCall(pod, sandbox));
    const ips = result.ips.map((ip) => addrOf(ip.address));
    if (ips.length === 0) throw new Error('the plugin gave no address');
    return ips;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`failed to setup network for sandbox "${short}": ${why}`, { cause: error });
  }
}

/** Written also for a restored pod whose files are missing: binding them is what a start of a container needs. */
function writeEtc(ctx: KubeletContext, pod: RunnablePod, ips: readonly string[]): void {
  const { layout, options, facts } = ctx;
  const { uid } = pod.metadata;
  const defaults = {
    clusterDns: options.clusterDns,
    clusterDomain: options.clusterDomain,
    nodeResolvConf: facts.resolvConf,
  };
  writeWhole(layout.etc(uid, 'hosts'), hostsFile(pod, ips, facts.hosts, options.clusterDomain), 0o644);
  writeWhole(layout.etc(uid, 'resolv.conf'), resolvConf(pod, defaults), 0o644);
  const hostname = pod.spec.hostNetwork === true ? options.node : hostnameOf(pod);
  writeWhole(layout.etc(uid, 'hostname'), `${hostname}\n`, 0o644);
}

/** Gives back the address, then ends pause. Both may have happened before. @throws Error if the plugin refuses */
export async function dropSandbox(ctx: KubeletContext, pod: RunnablePod, sandbox: Sandbox): Promise<void> {
  if (pod.spec.hostNetwork !== true) await ctx.cni.del(cniCall(pod, sandbox));
  stopPause(sandbox);
}
