/** The configuration of `bandwidth`: rates and bursts, by direction, and which networks they hold for. */

import { networkOf, type Prefix, readIfAddr } from '#net/prefix.ts';
import type { NetConf } from '#wire/cni/conf.ts';
import { isObject, type JsonObject, lookup, optStrings, wrong } from '#wire/cni/json.ts';

/** Of one direction. */
export interface Shape {
  /** Bytes per second. */
  readonly rate: number;
  /** Bytes. */
  readonly burst: number;
}

/** Networks that are not shaped, or the only ones that are. */
export interface Subnets {
  readonly kind: 'unshaped' | 'shaped';
  readonly networks: readonly Prefix[];
}

export interface BandwidthConf {
  /** To the pod. */
  readonly ingress?: Shape;
  /** From the pod. */
  readonly egress?: Shape;
  readonly subnets?: Subnets;
}

const KEYS = ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst', 'unshapedSubnets', 'shapedSubnets'];
/** The kernel counts bytes of a burst with 32 bits. */
const LONGEST_BURST = 2 ** 32 - 1;

/**
 * What the configuration itself says goes before the runtime's capability `bandwidth`.
 * @throws PolderError cni-config (CNI code 7) naming the key.
 */
export function readBandwidthConf(conf: NetConf): BandwidthConf {
  if (KEYS.some((key) => lookup(conf.raw, key) !== undefined)) return readEntry(conf.raw, '');
  const given = lookup(conf.runtimeConfig, 'bandwidth') ?? {};
  if (!isObject(given)) return wrong('runtimeConfig.bandwidth', 'must be an object', given);
  return readEntry(given, 'runtimeConfig.bandwidth.');
}

function readEntry(entry: JsonObject, path: string): BandwidthConf {
  const ingress = readShape(entry, 'ingress', path);
  const egress = readShape(entry, 'egress', path);
  const subnets = readSubnets(entry, path);
  return { ...(ingress && { ingress }), ...(egress && { egress }), ...(subnets && { subnets }) };
}

function readShape(entry: JsonObject, direction: string, path: string): Shape | undefined {
  const rate = bitsOf(entry, `${direction}Rate`, path);
  const burst = bitsOf(entry, `${direction}Burst`, path);
  if (rate === 0 && burst === 0) return undefined;
  if (burst === 0) wrong(`${path}${direction}Burst`, `must stand beside ${direction}Rate`, undefined);
  if (rate < 8) wrong(`${path}${direction}Rate`, `must be at least 8 bits per second, beside ${direction}Burst`, rate);
  if (burst / 8 > LONGEST_BURST) wrong(`${path}${direction}Burst`, 'must be less than 4 GiB', burst);
  return { rate: Math.floor(rate / 8), burst: Math.max(1, Math.floor(burst / 8)) };
}

/** Absent and 0: no limit. */
function bitsOf(entry: JsonObject, key: string, path: string): number {
  const value = lookup(entry, key) ?? 0;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  return wrong(`${path}${key}`, 'must be a whole number of bits', value);
}

function readSubnets(entry: JsonObject, path: string): Subnets | undefined {
  const unshaped = networksOf(entry, 'unshapedSubnets', path);
  const shaped = networksOf(entry, 'shapedSubnets', path);
  if (unshaped.length > 0 && shaped.length > 0)
    wrong(`${path}shapedSubnets`, 'must not stand beside unshapedSubnets', shaped);
  if (unshaped.length > 0) return { kind: 'unshaped', networks: unshaped };
  return shaped.length > 0 ? { kind: 'shaped', networks: shaped } : undefined;
}

/** Each once; host bits are passed over, as Go's `net.ParseCIDR` does. */
function networksOf(entry: JsonObject, key: string, path: string): Prefix[] {
  const networks = (optStrings(entry, key, path) ?? []).map((text, i) => {
    const address = readIfAddr(text);
    return address ? networkOf(address) : wrong(`${path}${key}[${i}]`, 'must be a network such as 10.0.0.0/8', text);
  });
  return [...new Set(networks)];
}
