/** All that a caller may be asked to pass (CNI CONVENTIONS.md, and containerd's own), declared by a plugin. */

const NAMES = [
  ...['portMappings', 'bandwidth', 'dns', 'ips', 'mac', 'ipRanges', 'infinibandGUID', 'deviceID', 'aliases'],
  ...['cgroupPath', 'io.kubernetes.cri.pod-annotations'],
];

export const EVERY_CAPABILITY: Readonly<Record<string, boolean>> = Object.fromEntries(
  NAMES.map((name) => [name, true]),
);
