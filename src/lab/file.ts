/**
 * Reads a cluster file (`polder lab up --file cluster.yaml`). All fields are optional:
 *
 *     name: polder                # the lab's name
 *     profile: vxlan              # or flannel-vxlan, flannel-host-gw
 *     clusterCIDR: 10.244.0.0/16  # pods' addresses; each node gets a /24 of it (of an IPv6 network a /64)
 *     family: dual                # or ipv4, ipv6: pods' addresses by default networks
 *     subnets: 2                  # the nodes stand in 192.168.1.0/24 and 192.168.2.0/24, with a router between
 *     mtu: 1500                   # of the nodes' interfaces
 *     apiPort: 6443               # on the machine's loopback
 *     masquerade: true            # what leaves the cluster
 *     tor: true                   # routers of BIRD, FRR and GoBGP beside the nodes (profile calico-bgp)
 *     nodes:                      # a number, or a list
 *     - name: node1
 *       subnet: 1
 *       labels: { disk: ssd }
 *       taints:
 *       - { key: dedicated, value: db, effect: NoSchedule }
 */

import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import type { Taint, WantedLab, WantedNode } from '#lab/spec.ts';
import { PolderError } from '#spec/errors.ts';

export interface ClusterFile {
  readonly wanted: Partial<WantedLab>;
  /** Unknown fields, a sentence each, with `file:line`. */
  readonly warnings: readonly string[];
}

interface Reader {
  readonly file: string;
  readonly lines: LineCounter;
  readonly warnings: string[];
}

type Field = readonly [key: string, value: Node | null | undefined];

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** @throws PolderError 'file-invalid' with `file:line` and what is wrong there. */
export function readClusterFile(file: string, text: string): ClusterFile {
  const reader: Reader = { file, lines: new LineCounter(), warnings: [] };
  const document = parseDocument(text, { lineCounter: reader.lines, prettyErrors: false });
  const [error] = document.errors;
  if (error) throw invalid(reader, error.pos[0], firstSentence(error.message));
  if (document.contents === null) return { wanted: {}, warnings: [] };
  const wanted: { -readonly [K in keyof WantedLab]?: WantedLab[K] } = {};
  for (const [key, value] of fieldsOf(reader, document.contents, 'the file')) {
    switch (key) {
      case 'name':
      case 'profile':
      case 'family':
        wanted[key] = textOf(reader, key, value);
        break;
      case 'clusterCIDR':
        wanted.clusterCidr = textOf(reader, key, value);
        break;
      case 'subnets':
      case 'mtu':
      case 'apiPort':
        wanted[key] = numberOf(reader, key, value);
        break;
      case 'masquerade':
      case 'tor':
        wanted[key] = truthOf(reader, key, value);
        break;
      case 'nodes':
        if (isScalar(value)) wanted.nodeCount = numberOf(reader, key, value);
        else wanted.nodes = itemsOf(reader, key, value).map((item) => nodeOf(reader, item));
        break;
      default:
        unknown(reader, key, value, '');
    }
  }
  return { wanted, warnings: reader.warnings };
}

function nodeOf(reader: Reader, item: Node): WantedNode {
  const node: { -readonly [K in keyof WantedNode]?: WantedNode[K] } = {};
  for (const [key, value] of fieldsOf(reader, item, 'a node')) {
    if (key === 'name') node.name = textOf(reader, 'nodes.name', value);
    else if (key === 'subnet') node.subnet = numberOf(reader, 'nodes.subnet', value);
    else if (key === 'labels') node.labels = labelsOf(reader, value);
    else if (key === 'taints')
      node.taints = itemsOf(reader, 'nodes.taints', value).map((taint) => taintOf(reader, taint));
    else unknown(reader, key, value, 'nodes.');
  }
  if (node.name === undefined) throw invalid(reader, offsetOf(item), 'a node has no name.');
  return { ...node, name: node.name };
}

function taintOf(reader: Reader, item: Node): Taint {
  const taint: { -readonly [K in keyof Taint]?: Taint[K] } = {};
  for (const [key, value] of fieldsOf(reader, item, 'a taint')) {
    if (key === 'key' || key === 'value' || key === 'effect') taint[key] = textOf(reader, `nodes.taints.${key}`, value);
    else unknown(reader, key, value, 'nodes.taints.');
  }
  if (taint.key === undefined) throw invalid(reader, offsetOf(item), 'a taint has no key.');
  if (taint.effect === undefined || !EFFECTS.includes(taint.effect)) {
    throw invalid(reader, offsetOf(item), `a taint's effect is one of ${EFFECTS.join(', ')}.`);
  }
  return { ...taint, key: taint.key, effect: taint.effect };
}

function labelsOf(reader: Reader, value: Node | null | undefined): Record<string, string> {
  const fields = fieldsOf(reader, value, 'nodes.labels');
  return Object.fromEntries(fields.map(([key, label]) => [key, textOf(reader, `nodes.labels.${key}`, label)]));
}

function fieldsOf(reader: Reader, value: Node | null | undefined, what: string): Field[] {
  if (!isMap(value)) throw invalid(reader, offsetOf(value), `${what} must be fields and values, as in "name: value".`);
  const map: YAMLMap<unknown, unknown> = value;
  return map.items.map(({ key, value: inner }) => [
    isScalar(key) ? String(key.value) : '',
    isScalar(inner) || isMap(inner) || isSeq(inner) ? inner : null,
  ]);
}

function itemsOf(reader: Reader, what: string, value: Node | null | undefined): Node[] {
  if (!isSeq(value)) throw invalid(reader, offsetOf(value), `${what} must be a list.`);
  return value.items.map((item) => {
    if (isMap(item) || isScalar(item) || isSeq(item)) return item;
    throw invalid(reader, offsetOf(value), `${what} must not have empty items.`);
  });
}

function textOf(reader: Reader, what: string, value: Node | null | undefined): string {
  const inner = isScalar(value) ? value.value : undefined;
  if (typeof inner === 'string') return inner;
  throw invalid(reader, offsetOf(value), `${what} must be text${inner === undefined ? '' : `, not ${inner}`}.`);
}

function numberOf(reader: Reader, what: string, value: Node | null | undefined): number {
  if (isScalar(value) && typeof value.value === 'number' && Number.isInteger(value.value)) return value.value;
  throw invalid(reader, offsetOf(value), `${what} must be a whole number.`);
}

function truthOf(reader: Reader, what: string, value: Node | null | undefined): boolean {
  if (isScalar(value) && typeof value.value === 'boolean') return value.value;
  throw invalid(reader, offsetOf(value), `${what} must be true or false.`);
}

function unknown(reader: Reader, key: string, value: Node | null | undefined, prefix: string): void {
  reader.warnings.push(`${place(reader, offsetOf(value))}: unknown field "${prefix}${key}"`);
}

function offsetOf(value: Node | null | undefined): number {
  return value?.range?.[0] ?? 0;
}

function place(reader: Reader, offset: number): string {
  return `${reader.file}:${reader.lines.linePos(offset).line || 1}`;
}

function invalid(reader: Reader, offset: number, what: string): PolderError {
  return new PolderError('file-invalid', { file: place(reader, offset), what });
}

function firstSentence(message: string): string {
  return `${message.split('\n')[0]?.replace(/[.:]?$/, '') ?? message}.`;
}
