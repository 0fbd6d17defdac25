/** What the nodes of a lab encrypt, and which pods they do not. */

import { askAgent } from '#lab/agent-client.ts';
import { labClient } from '#lab/ready.ts';
import { requireLab } from '#lab/state.ts';
import { runningNodes } from '#lab/up.ts';
import type { Family } from '#net/addr.ts';
import { PODS } from '#spec/k8s.ts';

/** What an agent answers to `/wireguard`, as far as it is looked at here. */
interface Report {
  readonly devices: readonly {
    readonly name: string;
    readonly peers: readonly {
      readonly publicKey: string;
      /** Milliseconds since 1970. */
      readonly lastHandshake?: number;
      readonly rxBytes: number;
      readonly txBytes: number;
    }[];
  }[];
  readonly encrypted: readonly { readonly family: Family; readonly node: string; readonly publicKey: string }[];
  readonly plain: readonly { readonly family: Family; readonly node: string }[];
  readonly problems: readonly { readonly sentence: string; readonly todo: string }[];
}

/** The way from one node to another. */
export interface EncryptedWay {
  readonly from: string;
  readonly to: string;
  readonly family: Family;
  readonly publicKey: string;
  readonly lastHandshake?: string;
  readonly rxBytes: number;
  readonly txBytes: number;
}

export interface EncryptionStatus {
  readonly ways: readonly EncryptedWay[];
  /** Pods that some other node speaks to unencrypted, as `namespace/name`; where nothing is encrypted: all. */
  readonly plainPods: readonly string[];
  /** Sentences, each once. */
  readonly problems: readonly string[];
}

/** @throws PolderError 'no-lab', Error if an agent or the API does not answer. */
export async function encryptionStatus(lab: string, signal: AbortSignal): Promise<EncryptionStatus> {
  const names = runningNodes(requireLab(lab)).map(({ name }) => name);
  const reports = await Promise.all(
    names.map(async (name) => ({ name, report: (await askAgent(lab, name, 'GET', '/wireguard')) as Report })),
  );
  using client = await labClient(lab, signal);
  const pods = (await client.list(PODS, { signal })).items.filter(({ spec }) => spec.hostNetwork !== true);
  const off = reports.filter(({ report }) => report.devices.length === 0).map(({ name }) => name);
  const plain = new Set([...off, ...reports.flatMap(({ report }) => report.plain.map(({ node }) => node))]);
  return {
    ways: reports.flatMap(({ name, report }) => waysOf(name, report)),
    plainPods: pods
      .filter(({ spec }) => plain.has(spec.nodeName ?? ''))
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
      .sort(),
    problems: [
      ...new Set(reports.flatMap(({ report }) => report.problems.map(({ sentence, todo }) => `${sentence} ${todo}`))),
    ],
  };
}

function waysOf(from: string, { devices, encrypted }: Report): EncryptedWay[] {
  const peers = devices.flatMap((device) => device.peers);
  return encrypted.flatMap(({ family, node, publicKey }) => {
    const peer = peers.find((each) => each.publicKey === publicKey);
    if (!peer) return [];
    const { lastHandshake, rxBytes, txBytes } = peer;
    const handshake = lastHandshake === undefined ? {} : { lastHandshake: new Date(lastHandshake).toISOString() };
    return [{ from, to: node, family, publicKey, ...handshake, rxBytes, txBytes }];
  });
}

/** @returns how many keys each node has taken anew. @throws as `encryptionStatus` */
export async function rotateKeys(lab: string, nodes: readonly string[]): Promise<{ node: string; rotated: number }[]> {
  const spec = requireLab(lab);
  const names = nodes.length > 0 ? nodes : runningNodes(spec).map(({ name }) => name);
  return Promise.all(
    names.map(async (node) => {
      const { rotated } = (await askAgent(lab, node, 'POST', '/wireguard/rotate')) as { rotated: number };
      return { node, rotated };
    }),
  );
}
