/** The files of /etc that the kubelet writes for a pod, as text. */

import type { RunnablePod } from '#lab/kubelet/pod.ts';
import { hostnameOf } from '#lab/kubelet/pod.ts';

export interface DnsDefaults {
  readonly clusterDns: string;
  readonly clusterDomain: string;
  /** The node's own resolv.conf. */
  readonly nodeResolvConf: string;
}

const MANAGED = '# Kubernetes-managed hosts file.\n';
const MANAGED_HOST_NETWORK = '# Kubernetes-managed hosts file (host network).\n';

/** /etc/hosts of a pod (Kubernetes: "Adding entries to Pod /etc/hosts with HostAliases"). */
export function hostsFile(pod: RunnablePod, podIps: readonly string[], nodeHosts: string, domain: string): string {
  if (pod.spec.hostNetwork === true) return MANAGED_HOST_NETWORK + nodeHosts + aliases(pod);
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...podIps.map((ip) => [ip, ...podNames(pod, domain)].join('\t')),
  ];
  return `${MANAGED}${lines.join('\n')}\n${aliases(pod)}`;
}

/** With a subdomain the fully qualified name comes first. */
function podNames(pod: RunnablePod, domain: string): string[] {
  const name = hostnameOf(pod);
  const subdomain = pod.spec.subdomain;
  return subdomain ? [`${name}.${subdomain}.${pod.metadata.namespace}.svc.${domain}`, name] : [name];
}

function aliases(pod: RunnablePod): string {
  const entries = pod.spec.hostAliases ?? [];
  if (entries.length === 0) return '';
  const lines = entries.map((alias) => [alias.ip, ...(alias.hostnames ?? [])].join('\t'));
  return `\n# Entries added by HostAliases.\n${lines.join('\n')}\n`;
}

interface Resolver {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** /etc/resolv.conf of a pod, by its dnsPolicy and dnsConfig (Kubernetes: "DNS for Services and Pods"). */
export function resolvConf(pod: RunnablePod, defaults: DnsDefaults): string {
  const base = baseResolver(pod, defaults);
  const own = pod.spec.dnsConfig;
  const nameservers = unique([...base.nameservers, ...(own?.nameservers ?? [])]);
  const searches = unique([...base.searches, ...(own?.searches ?? [])]);
  const options = mergeOptions(base.options, own?.options ?? []);
  const lines = [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function baseResolver(pod: RunnablePod, defaults: DnsDefaults): Resolver {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { nameservers: [], searches: [], options: [] };
  if (policy === 'Default' || (policy === 'ClusterFirst' && pod.spec.hostNetwork === true)) {
    return readResolvConf(defaults.nodeResolvConf);
  }
  const domain = defaults.clusterDomain;
  return {
    nameservers: [defaults.clusterDns],
    searches: [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain],
    options: ['ndots:5'],
  };
}

function readResolvConf(text: string): Resolver {
  const words = text.split('\n').map((line) => line.trim().split(/\s+/));
  const of = (keyword: string) => words.filter((w) => w[0] === keyword).map((w) => w.slice(1));
  return {
    nameservers: of('nameserver').flat(),
    searches: [...of('search'), ...of('domain')].at(-1) ?? [],
    options: of('options').flat(),
  };
}

function mergeOptions(
  base: readonly string[],
  own: readonly { readonly name?: string; readonly value?: string }[],
): string[] {
  const merged = new Map(base.map((option) => [option.split(':')[0] ?? option, option]));
  for (const { name = '', value } of own) merged.set(name, value === undefined ? name : `${name}:${value}`);
  return [...merged.values()];
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)];
}
