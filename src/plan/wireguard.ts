/** WireGuard devices: what to set, which peers to make, change, remove. */

import { compare } from '#plan/changes.ts';
import type { PlanOp, WantedWireguard } from '#plan/objects.ts';
import type { WireguardDevice, WireguardOp, WireguardPeer } from '#wire/wireguard/values.ts';

export interface WireguardChanges {
  /** What is missing: keys of a device that has none, peers. */
  readonly add: readonly WireguardOp[];
  /** What is there and differs. */
  readonly change: readonly WireguardOp[];
  /** Peers that are wanted no longer; those of a device that goes, go with it. */
  readonly remove: readonly WireguardOp[];
}

/** A peer's endpoint counts: nodes have fixed addresses, and one that roamed is led back. */
const PEER = {
  key: ({ publicKey }: WireguardPeer) => publicKey,
  value: ({ endpoint, keepalive, allowedIps }: WireguardPeer) =>
    JSON.stringify([endpoint?.addr ?? '', endpoint?.port ?? 0, keepalive, [...allowedIps].sort()]),
};

export function wireguardChanges(
  wanted: readonly WantedWireguard[],
  have: readonly WireguardDevice[],
): WireguardChanges {
  const each = wanted.map((device) =>
    ofDevice(
      device,
      have.find(({ name }) => name === device.device),
    ),
  );
  return {
    add: each.flatMap(({ add }) => add),
    change: each.flatMap(({ change }) => change),
    remove: each.flatMap(({ remove }) => remove),
  };
}

function ofDevice(wanted: WantedWireguard, have: WireguardDevice | undefined): WireguardChanges {
  const { device } = wanted;
  const peers = compare<WireguardPeer>(PEER, wanted.peers, have?.peers ?? []);
  const set = settings(wanted, have);
  const peerOp = (peer: WireguardPeer): WireguardOp => ({ op: 'wg.peer', device, peer });
  const bare = have?.publicKey === undefined;
  return {
    add: [...(bare ? set : []), ...peers.add.map(peerOp)],
    change: [...(bare ? [] : set), ...peers.change.map(({ to }) => peerOp(to))],
    remove: peers.remove.map(({ publicKey }) => ({ op: 'wg.remove', device, publicKey })),
  };
}

function settings(
  { device, publicKey, port, mark }: WantedWireguard,
  have: WireguardDevice | undefined,
): WireguardOp[] {
  const wish = {
    ...(have?.publicKey === publicKey ? {} : { publicKey }),
    ...(have?.port === port ? {} : { port }),
    ...(have?.mark === mark ? {} : { mark }),
  };
  return Object.keys(wish).length > 0 ? [{ op: 'wg.set', device, ...wish }] : [];
}

export function isWireguardOp(op: PlanOp): op is WireguardOp {
  return op.op === 'wg.set' || op.op === 'wg.peer' || op.op === 'wg.remove';
}
