/** `status.nodeInfo`: what the machine says of itself. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { arch, release } from 'node:os';
import { KUBELET_VERSION } from '#lab/kubelet/node/node-object.ts';
import { readText } from '#lab/kubelet/runtime/disk.ts';
import type { OciRuntime } from '#lab/kubelet/runtime/oci-runtime.ts';

const ARCHES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' };

export function systemInfo(node: string, runtime: OciRuntime): Record<string, string> {
  const osRelease = readText('/etc/os-release') ?? '';
  const machineId = readText('/etc/machine-id')?.trim() ?? '';
  return {
    architecture: ARCHES[arch()] ?? arch(),
    bootID: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    containerRuntimeVersion: `${runtime.name}://${runtime.version}`,
    kernelVersion: release(),
    kubeProxyVersion: '',
    kubeletVersion: KUBELET_VERSION,
    // Nodes of a lab share a machine, but are to look like machines of their own.
    machineID: createHash('md5').update(`${machineId}/${node}`).digest('hex'),
    operatingSystem: 'linux',
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
    systemUUID: createHash('md5').update(`${machineId}/${node}/uuid`).digest('hex'),
  };
}
