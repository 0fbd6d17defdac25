/** WireGuard devices in memory. A device is there once `add` was told of it. */

import type { PrivateKeys, Wireguard, WireguardFailure } from '#kernel/wireguard/handle.ts';
import type { PeerReport, WireguardDevice, WireguardOp } from '#wire/wireguard/values.ts';

export class FakeWireguard implements Wireguard {
  readonly #devices = new Map<string, WireguardDevice>();
  readonly #privateKeys: PrivateKeys;

  constructor(privateKeys: PrivateKeys = () => undefined) {
    this.#privateKeys = privateKeys;
  }

  /** What rtnetlink does with an interface of this kind. */
  add(name: string): void {
    this.#devices.set(name, { name, port: 0, mark: 0, peers: [] });
  }

  device(name: string): WireguardDevice | undefined {
    return this.#devices.get(name);
  }

  run(ops: readonly WireguardOp[]): WireguardFailure[] {
    return ops.flatMap((op) => this.#one(op) ?? []);
  }

  #one(op: WireguardOp): WireguardFailure | undefined {
    const device = this.#devices.get(op.device);
    if (!device) return { op, code: 'ENODEV' };
    if (op.op === 'wg.set' && op.publicKey !== undefined && !this.#privateKeys(op.publicKey))
      return { op, code: 'ENOKEY', text: 'there is no private key of this public one' };
    this.#devices.set(op.device, changed(device, op));
    return undefined;
  }

  [Symbol.dispose](): void {}
}

function changed(device: WireguardDevice, op: WireguardOp): WireguardDevice {
  if (op.op === 'wg.set') {
    const { op: _o, device: _d, ...said } = op;
    return { ...device, ...said };
  }
  if (op.op === 'wg.remove') {
    return { ...device, peers: device.peers.filter(({ publicKey }) => publicKey !== op.publicKey) };
  }
  // A peer that has our own key is passed over, as the kernel does.
  if (op.peer.publicKey === device.publicKey) return device;
  return { ...device, peers: withPeer(device.peers, op.peer) };
}

/** One network is allowed to one peer: who gets it takes it from whoever had it. The newest peer comes last. */
function withPeer(peers: readonly PeerReport[], peer: Extract<WireguardOp, { op: 'wg.peer' }>['peer']): PeerReport[] {
  const taken = new Set(peer.allowedIps);
  const others = peers.map((other) =>
    other.publicKey === peer.publicKey
      ? { ...other, ...peer }
      : { ...other, allowedIps: other.allowedIps.filter((network) => !taken.has(network)) },
  );
  const known = peers.some(({ publicKey }) => publicKey === peer.publicKey);
  return known ? others : [...others, { ...peer, rxBytes: 0, txBytes: 0 }];
}
