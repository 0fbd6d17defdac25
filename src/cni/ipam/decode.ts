/** Lines of the journal, checked: the file may have been written by another version or edited by hand. */

import type { JournalRecord } from '#cni/ipam/record.ts';
import { readAddr } from '#net/addr.ts';
import { readMac } from '#net/mac.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import { isObject, type JsonObject } from '#wire/cni/json.ts';

export function encodeRecord(record: JournalRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** Undefined if the line is no record. */
export function decodeRecord(line: string): JournalRecord | undefined {
  const value = parse(line);
  if (!isObject(value)) return undefined;
  switch (value.op) {
    case 'add': {
      const endpoint = isObject(value.endpoint) ? readEndpoint(value.endpoint) : undefined;
      return endpoint && { op: 'add', endpoint };
    }
    case 'up':
      return typeof value.key === 'string' ? { op: 'up', key: value.key } : undefined;
    case 'del':
      return typeof value.key === 'string' && typeof value.at === 'number'
        ? { op: 'del', key: value.key, at: value.at }
        : undefined;
    case 'rest':
    case 'last':
      return readResting(value, value.op);
    default:
      return undefined;
  }
}

function readResting(value: JsonObject, op: 'rest' | 'last'): JournalRecord | undefined {
  const addr = typeof value.addr === 'string' ? readAddr(value.addr) : undefined;
  if (addr === undefined) return undefined;
  if (op === 'last') return { op, addr };
  return typeof value.at === 'number' ? { op, addr, at: value.at } : undefined;
}

function readEndpoint(value: JsonObject): LocalEndpoint | undefined {
  const { containerId, ifname, network, attachment, hostIfname, podNamespace, podName } = value;
  const addrs = Array.isArray(value.addrs) ? value.addrs.map((a) => readAddr(String(a))) : [undefined];
  const known = addrs.filter((a) => a !== undefined);
  const mac = typeof value.mac === 'string' ? readMac(value.mac) : undefined;
  if (typeof containerId !== 'string' || typeof ifname !== 'string' || typeof network !== 'string') return undefined;
  if ((attachment !== 'routed' && attachment !== 'bridge') || typeof hostIfname !== 'string') return undefined;
  if (mac === undefined || known.length !== addrs.length) return undefined;
  return {
    containerId,
    ifname,
    network,
    attachment,
    hostIfname,
    addrs: known,
    mac,
    ...(typeof podNamespace === 'string' && { podNamespace }),
    ...(typeof podName === 'string' && { podName }),
  };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
