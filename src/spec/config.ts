/**
 * The cluster's settings: the table of keys of the ConfigMap `kube-system/polder-config`, and its reader.
 * `docs/configuration.md` is generated from the table.
 */

import { type Prefix, prefixFamily, readPrefix } from '#net/prefix.ts';
import { type ClusterConfig, PROFILE_NAMES, PROFILES, type Profile } from '#spec/cluster.ts';

/** Where the settings stand. */
export const CONFIG_MAP = { namespace: 'kube-system', name: 'polder-config' } as const;

export interface ConfigRow {
  readonly type: 'profile' | 'networks' | 'boolean' | 'bytes';
  /** As text, as it would stand in the ConfigMap. */
  readonly default: string;
  readonly doc: string;
}

export const CONFIG_TABLE = {
  profile: {
    type: 'profile',
    default: 'vxlan',
    doc: 'How pods are attached and how packets get from node to node.',
  },
  clusterCIDR: {
    type: 'networks',
    default: '10.244.0.0/16',
    doc: 'The network that every pod’s address lies in, or two, one a family, with a comma between; nodes get their parts of it.',
  },
  masquerade: {
    type: 'boolean',
    default: 'true',
    doc: 'Give traffic from pods that leaves the cluster the node’s address.',
  },
  mtu: {
    type: 'bytes',
    default: '0',
    doc: 'MTU of pods’ interfaces in bytes, 0 or 576 to 65535; 0 takes the underlay’s, less the encapsulation’s header.',
  },
  fastPath: {
    type: 'boolean',
    default: 'false',
    doc: 'Hand packets between pods on by eBPF (Linux 6.6 or newer): quicker, but unseen by captures and rules on the way.',
  },
} as const satisfies Record<string, ConfigRow>;

export type ConfigKey = keyof typeof CONFIG_TABLE;

/** What is wrong with one key's value. */
export interface ConfigProblem {
  readonly key: ConfigKey;
  readonly message: string;
}

export type ConfigResult =
  | { readonly kind: 'config'; readonly config: ClusterConfig; readonly warnings: readonly string[] }
  | { readonly kind: 'invalid'; readonly problems: readonly ConfigProblem[]; readonly warnings: readonly string[] };

/** IPv4's least MTU that hosts must be able to take in one piece (RFC 791 §3.1), bytes. */
const LEAST_MTU = 576;
const MOST_MTU = 65_535;

/** Reads the ConfigMap's data; keys that are absent or empty take the table's default, unknown keys are warned of. */
export function parseConfig(data: Readonly<Record<string, string>> = {}): ConfigResult {
  const problems: ConfigProblem[] = [];
  const read = <T>(key: ConfigKey, reader: (text: string) => T | string): T | undefined => {
    const value = reader(data[key]?.trim() || CONFIG_TABLE[key].default);
    if (typeof value !== 'string') return value;
    problems.push({ key, message: value });
    return undefined;
  };
  const profile = read('profile', profileFrom);
  const clusterCidrs = read('clusterCIDR', networksFrom);
  const masquerade = read('masquerade', booleanFrom);
  const mtu = read('mtu', bytesFrom);
  const fastPath = read('fastPath', booleanFrom);
  const warnings = Object.keys(data).filter(isUnknown).map(unknownKey);
  if (
    profile === undefined ||
    clusterCidrs === undefined ||
    masquerade === undefined ||
    mtu === undefined ||
    fastPath === undefined
  ) {
    return { kind: 'invalid', problems, warnings };
  }
  return { kind: 'config', config: { profile, clusterCidrs, masquerade, mtu, fastPath }, warnings };
}

/** The settings as ConfigMap data: what `parseConfig` reads back to the same. */
export function configData(config: ClusterConfig): Record<ConfigKey, string> {
  return {
    profile: config.profile.name,
    clusterCIDR: config.clusterCidrs.join(','),
    masquerade: String(config.masquerade),
    mtu: String(config.mtu),
    fastPath: String(config.fastPath ?? false),
  };
}

// Each reader answers the value, or a sentence about why the text is none.

function profileFrom(text: string): Profile | string {
  const found = PROFILE_NAMES.find((name) => name === text);
  if (found !== undefined) return PROFILES[found];
  return `"${text}" is no profile${hint(text, PROFILE_NAMES)}; there are ${PROFILE_NAMES.join(', ')}`;
}

/** As kube-controller-manager's --cluster-cidr: at most one a family. */
function networksFrom(text: string): readonly Prefix[] | string {
  const prefixes: Prefix[] = [];
  for (const part of text.split(',')) {
    const prefix = readPrefix(part.trim());
    if (prefix === undefined) return `"${part.trim()}" is no network such as 10.244.0.0/16 with host bits zero`;
    const same = prefixes.find((other) => prefixFamily(other) === prefixFamily(prefix));
    if (same !== undefined) return `${same} and ${prefix} are both IPv${prefixFamily(prefix)}: there is one a family`;
    prefixes.push(prefix);
  }
  return prefixes;
}

function booleanFrom(text: string): boolean | string {
  if (text === 'true') return true;
  return text === 'false' ? false : `"${text}" is neither true nor false`;
}

function bytesFrom(text: string): number | string {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  const fits = value === 0 || (value >= LEAST_MTU && value <= MOST_MTU);
  return fits ? value : `"${text}" is no MTU: 0 (automatic) or ${LEAST_MTU} to ${MOST_MTU} bytes`;
}

function isUnknown(key: string): boolean {
  return !Object.hasOwn(CONFIG_TABLE, key);
}

function unknownKey(key: string): string {
  const keys = Object.keys(CONFIG_TABLE);
  return `unknown key "${key}" is ignored${hint(key, keys)}; known are ${keys.join(', ')}`;
}

function hint(text: string, candidates: readonly string[]): string {
  const near = nearest(text, candidates);
  return near === undefined ? '' : ` (did you mean "${near}"?)`;
}

/** The candidate that a slip of the keyboard would have made of this text: at most two edits, or a third of it. */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates.map((candidate) => ({
    candidate,
    edits: distance(text.toLowerCase(), candidate.toLowerCase()),
  }));
  const best = ranked.sort((a, b) => a.edits - b.edits)[0];
  return best !== undefined && best.edits <= Math.max(2, Math.floor(text.length / 3)) ? best.candidate : undefined;
}

/** Levenshtein's distance: insertions, deletions and replacements that make one text of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
