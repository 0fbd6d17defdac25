/** Cluster addresses and node ports of Services: chosen from what is free, without a table of their own. */
import type { World } from '#spec/kinds/kind.ts';

/** 10.96.0.0/12, Kubernetes' usual Service range; the first address is the API's own. */
const BASE = (10 << 24) | (96 << 16);
const SIZE = 1 << 20;
/** KEP-3070: dynamic addresses come from above the first 256, so that fixed ones below rarely collide. */
const STATIC_BAND = 256;

export const SERVICE_CIDR = '10.96.0.0/12';
export const KUBERNETES_SERVICE_ADDRESS = '10.96.0.1';
export const NODE_PORT_FIRST = 30000;
export const NODE_PORT_LAST = 32767;

/** A free address, undefined when all are taken. */
export function freeAddress(world: World): string | undefined {
  const taken = new Set<string>();
  for (const fields of world.fieldsOf('services')) taken.add(fields['spec.clusterIP'] ?? '');
  const count = SIZE - STATIC_BAND - 1;
  const start = Math.floor(world.random() * count);
  for (let step = 0; step < count; step += 1) {
    const address = textOf(BASE + STATIC_BAND + ((start + step) % count));
    if (!taken.has(address)) return address;
  }
  return undefined;
}

export function isServiceAddress(text: string): boolean {
  const parts = text.split('.').map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256));
  if (parts.length !== 4 || parts.some((part) => part > 255)) return false;
  const [a = 0, b = 0] = parts;
  return a === 10 && b >= 96 && b < 112;
}

export function isTakenAddress(address: string, world: World): boolean {
  for (const fields of world.fieldsOf('services')) if (fields['spec.clusterIP'] === address) return true;
  return false;
}

/** Node ports that Services hold, as text. */
export function takenNodePorts(world: World): Set<string> {
  const taken = new Set<string>();
  for (const fields of world.fieldsOf('services')) {
    for (const port of (fields['polder.nodePorts'] ?? '').split(',')) taken.add(port);
  }
  return taken;
}

/** A free node port, undefined when all are taken. */
export function freeNodePort(taken: ReadonlySet<string>, world: World): number | undefined {
  const count = NODE_PORT_LAST - NODE_PORT_FIRST + 1;
  const start = Math.floor(world.random() * count);
  for (let step = 0; step < count; step += 1) {
    const port = NODE_PORT_FIRST + ((start + step) % count);
    if (!taken.has(String(port))) return port;
  }
  return undefined;
}

function textOf(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}
