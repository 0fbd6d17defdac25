import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { PodRef, StreamBackend } from '#lab/kubelet/stream/backend.ts';
import { forward } from '#lab/kubelet/stream/forward.ts';
import { ChannelSocket } from '#lab/kubelet/stream/websocket/channel-socket.ts';
import type { ChannelProtocol } from '#lab/kubelet/stream/websocket/protocols.ts';

export const PORT_FORWARD_CHANNELS = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'] as const;

/**
 * Forwards one connection to each of `ports` over WebSocket channels: 2n for the data of the n-th port, 2n+1 for its
 * error. Both begin with the port as 16 bits, little endian. This is how clients other than kubectl do it. The
 * connection ends with the last of the ports.
 */
export async function servePortChannels(
  socket: WebSocket,
  protocol: ChannelProtocol,
  pod: PodRef,
  ports: readonly number[],
  backend: StreamBackend,
): Promise<void> {
  const channels = new ChannelSocket(socket, protocol);
  const forwards = ports.map((port, index) => {
    const data = Duplex.from({ readable: channels.input(2 * index), writable: channels.output(2 * index) });
    const error = channels.output(2 * index + 1);
    const greeting = Uint8Array.of(port & 0xff, port >> 8);
    channels.send(2 * index, greeting);
    channels.send(2 * index + 1, greeting);
    return forward(backend, pod, port, { data, error });
  });
  await Promise.all(forwards);
  channels.close();
}
