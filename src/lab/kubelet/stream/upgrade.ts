import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { StreamRefusal } from '#lab/kubelet/stream/backend.ts';
import { PORT_FORWARD_PROTOCOL } from '#lab/kubelet/stream/spdy/port-forward.ts';
import { SPDY_COMMAND_PROTOCOL } from '#lab/kubelet/stream/spdy/remote-command.ts';
import { openWebSocket } from '#lab/kubelet/stream/websocket/open.ts';
import { PORT_FORWARD_CHANNELS } from '#lab/kubelet/stream/websocket/port-forward.ts';
import {
  CHANNEL_PROTOCOLS,
  type ChannelProtocol,
  COMMAND_PROTOCOLS,
  chooseProtocol,
  TUNNEL_PROTOCOL,
} from '#lab/kubelet/stream/websocket/protocols.ts';

/** A transport that client and kubelet agree upon, not yet opened: opening it answers 101. */
export type Upgrade =
  | { readonly kind: 'spdy'; open(): Duplex }
  | { readonly kind: 'tunnel'; open(): Promise<WebSocket> }
  | { readonly kind: 'channels'; readonly protocol: ChannelProtocol; open(): Promise<WebSocket> };

/** What the upgrade is for: the two have protocols of their own. */
export type Purpose = 'command' | 'port-forward';

/**
 * Reads from the request's headers how the client wants to speak.
 *
 * @throws StreamRefusal with 400 when it asks for no upgrade, 403 when none of its protocols is spoken here.
 */
export function chooseUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer, purpose: Purpose): Upgrade {
  const name = req.headers.upgrade?.toLowerCase();
  if (name === 'spdy/3.1') return chooseSpdy(req, socket, head, purpose);
  if (name === 'websocket') return chooseWebSocket(req, socket, head, purpose);
  throw new StreamRefusal(400, 'Upgrade request required, to SPDY/3.1 or websocket');
}

function chooseSpdy(req: IncomingMessage, socket: Duplex, head: Buffer, purpose: Purpose): Upgrade {
  const spoken = purpose === 'port-forward' ? PORT_FORWARD_PROTOCOL : SPDY_COMMAND_PROTOCOL;
  const offered = [req.headers['x-stream-protocol-version'] ?? []].flat().join(',');
  if (!chooseProtocol(offered, [spoken])) throw unspoken(offered, [spoken]);
  return { kind: 'spdy', open: () => openSpdy(socket, head, spoken) };
}

function openSpdy(socket: Duplex, head: Buffer, protocol: string): Duplex {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: SPDY/3.1'];
  socket.write(`${lines.join('\r\n')}\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return socket;
}

function chooseWebSocket(req: IncomingMessage, socket: Duplex, head: Buffer, purpose: Purpose): Upgrade {
  const header = req.headers['sec-websocket-protocol'];
  if (purpose === 'port-forward' && chooseProtocol(header, [TUNNEL_PROTOCOL])) {
    return { kind: 'tunnel', open: () => openWebSocket(req, socket, head, TUNNEL_PROTOCOL) };
  }
  const spoken = purpose === 'port-forward' ? PORT_FORWARD_CHANNELS : COMMAND_PROTOCOLS;
  const name = chooseProtocol(header, spoken);
  if (name === undefined) throw unspoken(header ?? '', spoken);
  return { kind: 'channels', protocol: CHANNEL_PROTOCOLS[name], open: () => openWebSocket(req, socket, head, name) };
}

function unspoken(offered: string, spoken: readonly string[]): StreamRefusal {
  const text = `unable to upgrade: server supports [${spoken.join(' ')}], client supports [${offered}]`;
  return new StreamRefusal(403, text);
}
