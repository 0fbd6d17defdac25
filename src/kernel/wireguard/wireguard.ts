/** The kernel's WireGuard, by generic netlink. */

import { constants } from 'node:os';
import { errnoName, SystemError } from '#kernel/ffi/errno.ts';
import { openGenericSocket } from '#kernel/ffi/netlink-socket.ts';
import { Connection } from '#kernel/netlink/connection.ts';
import { dump } from '#kernel/netlink/dump.ts';
import type { PrivateKeys, Wireguard, WireguardFailure } from '#kernel/wireguard/handle.ts';
import type { Ack } from '#wire/netlink/ack.ts';
import { NLM_F_ACK, NLM_F_REQUEST } from '#wire/netlink/constants.ts';
import { GENL_ID_CTRL, readFamily, writeFamilyQuery } from '#wire/netlink/generic.ts';
import { Writer } from '#wire/netlink/writer.ts';
import {
  joinDevice,
  peerMessages,
  readDevice,
  WG_FAMILY,
  writeDevice,
  writeDeviceQuery,
  writePeerRemoval,
} from '#wire/wireguard/codec.ts';
import type { WireguardDevice, WireguardOp } from '#wire/wireguard/values.ts';

/** Opens a handle on the namespace of the descriptor, else on the thread's own. @throws SystemError */
export function openWireguard(privateKeys: PrivateKeys, netnsFd?: number): Wireguard {
  return new KernelWireguard(new Connection(netnsFd, openGenericSocket), privateKeys);
}

const NO_DEVICE: ReadonlySet<string> = new Set(['ENODEV', 'EOPNOTSUPP']);

class KernelWireguard implements Wireguard {
  readonly #socket: Connection;
  readonly #privateKeys: PrivateKeys;
  /** Message type of the family, once it was found. */
  #family: number | undefined;

  constructor(socket: Connection, privateKeys: PrivateKeys) {
    this.#socket = socket;
    this.#privateKeys = privateKeys;
  }

  /** @throws SystemError */
  device(name: string): WireguardDevice | undefined {
    const type = this.#type();
    if (type === undefined) return undefined;
    try {
      const body = (writer: Writer) => writeDeviceQuery(writer, name);
      return joinDevice(dump(this.#socket, { type, what: `the WireGuard device ${name}`, body, read: readDevice }));
    } catch (error) {
      if (error instanceof SystemError && NO_DEVICE.has(error.code)) return undefined;
      throw error;
    }
  }

  run(ops: readonly WireguardOp[]): WireguardFailure[] {
    return ops.flatMap((op) => this.#one(op) ?? []);
  }

  #one(op: WireguardOp): WireguardFailure | undefined {
    const type = this.#type();
    if (type === undefined) return { op, code: 'EOPNOTSUPP', text: 'the kernel has no WireGuard' };
    const writer = new Writer();
    const bodies = this.#bodies(writer, op);
    if (!bodies) return { op, code: 'ENOKEY', text: 'there is no private key of this public one' };
    for (const body of bodies) {
      writer.reset();
      const ack = this.#request(writer, type, NLM_F_ACK, body);
      if (ack.errno !== 0) return { op, code: errnoName(ack.errno), ...(ack.text ? { text: ack.text } : {}) };
    }
    return undefined;
  }

  #bodies(writer: Writer, op: WireguardOp): (() => void)[] | undefined {
    if (op.op === 'wg.peer') return peerMessages(writer, op.device, op.peer);
    if (op.op === 'wg.remove') return [() => writePeerRemoval(writer, op.device, op.publicKey)];
    const { publicKey, port, mark } = op;
    const privateKey = publicKey === undefined ? undefined : this.#privateKeys(publicKey);
    if (publicKey !== undefined && !privateKey) return undefined;
    const wish = {
      ...(privateKey ? { privateKey } : {}),
      ...(port === undefined ? {} : { port }),
      ...(mark === undefined ? {} : { mark }),
    };
    return [() => writeDevice(writer, op.device, wish)];
  }

  #request(
    writer: Writer,
    type: number,
    flags: number,
    body: () => void,
    read?: Parameters<Connection['exchange']>[1],
  ): Ack {
    const firstSeq = this.#socket.nextSeq;
    writer.message(type, NLM_F_REQUEST | flags, firstSeq, body);
    const [ack] = this.#socket.exchange({ bytes: writer.bytes, firstSeq, count: 1 }, read ?? (() => {}));
    return ack ?? { errno: 0 };
  }

  /** Undefined if the kernel has no such family, even after it looked for the module. @throws SystemError */
  #type(): number | undefined {
    if (this.#family !== undefined) return this.#family;
    const writer = new Writer(128);
    let found: number | undefined;
    const ack = this.#request(
      writer,
      GENL_ID_CTRL,
      0,
      () => writeFamilyQuery(writer, WG_FAMILY),
      (message) => {
        found = readFamily(message);
      },
    );
    if (ack.errno !== 0 && ack.errno !== constants.errno.ENOENT)
      throw new SystemError('recv', ack.errno, 'look for WireGuard in the kernel');
    this.#family = found;
    return found;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
