/**
 * A DHCP server as no real one can be told to be: it offers, says nonsense, and refuses what it offered. A process of its own, run in
 * the server's namespace: `hostile-server.ts ADDRESS`; ends with its standard input.
 */

import { createSocket } from 'node:dgram';
import { type Addr, addrBytes, parseAddr } from '#net/addr.ts';
import { type DhcpMessage, decodeMessage, encodeMessage } from '#wire/dhcp/message.ts';
import { MESSAGE_TYPE, messageType, OPTION, uint32 } from '#wire/dhcp/options.ts';

const own = parseAddr(process.argv[2] ?? '');
const offered: Addr = parseAddr('10.50.0.77');

function answer(to: DhcpMessage, type: 'OFFER' | 'NAK', xid = to.xid): Uint8Array {
  const options = new Map([
    [OPTION['dhcp-message-type'], Uint8Array.of(MESSAGE_TYPE[type])],
    [OPTION['dhcp-server-identifier'], addrBytes(own)],
    [OPTION['subnet-mask'], uint32(0xffffff00)],
    [OPTION['dhcp-lease-time'], uint32(60)],
    [OPTION['dhcp-message'], new TextEncoder().encode('not you')],
  ]);
  return encodeMessage({ ...to, op: 'reply', xid, yiaddr: offered, options });
}

const socket = createSocket('udp4');
socket.on('message', (bytes) => {
  const message = decodeMessage(bytes);
  if (!message) return;
  const type = messageType(message) === 'DISCOVER' ? 'OFFER' : 'NAK';
  const right = answer(message, type);
  // Cut off, of somebody else's conversation, from a client, and then what is meant.
  const wrong = [
    right.subarray(0, 245),
    answer(message, type, message.xid ^ 1),
    encodeMessage(message),
    new Uint8Array(9),
  ];
  for (const one of [...wrong, right]) socket.send(one, 68, '255.255.255.255');
});
socket.bind(67, '0.0.0.0', () => {
  socket.setBroadcast(true);
  console.log('ready');
});
process.stdin.on('end', () => socket.close()).resume();
