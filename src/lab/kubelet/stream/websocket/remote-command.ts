import type { WebSocket } from 'ws';
import type { AttachRequest } from '#lab/kubelet/stream/backend.ts';
import type { RemoteStreams } from '#lab/kubelet/stream/relay.ts';
import { statusJson, statusText } from '#lab/kubelet/stream/status.ts';
import { ChannelSocket } from '#lab/kubelet/stream/websocket/channel-socket.ts';
import type { ChannelProtocol } from '#lab/kubelet/stream/websocket/protocols.ts';

/** Numbers of the channels of exec and attach. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** An exec or attach over WebSocket channels. `gone` is the end of the connection below. */
export function commandChannels(
  socket: WebSocket,
  protocol: ChannelProtocol,
  request: AttachRequest,
  gone: Promise<void>,
): RemoteStreams {
  const channels = new ChannelSocket(socket, protocol);
  greet(channels, request);
  return {
    stdin: request.stdin ? channels.input(CHANNEL.stdin) : undefined,
    stdout: request.stdout ? channels.output(CHANNEL.stdout) : undefined,
    stderr: request.stderr ? channels.output(CHANNEL.stderr) : undefined,
    resize: request.tty ? channels.input(CHANNEL.resize) : undefined,
    gone,
    finish(exit) {
      const text = protocol.jsonStatus ? statusJson(exit) : statusText(exit);
      if (text !== '') channels.send(CHANNEL.error, Buffer.from(text));
      channels.close();
    },
  };
}

/** An empty message on the first channel of ours: some clients wait for it before they believe in the connection. */
function greet(channels: ChannelSocket, request: AttachRequest): void {
  const channel = request.stdout ? CHANNEL.stdout : request.stderr ? CHANNEL.stderr : CHANNEL.error;
  channels.send(channel, new Uint8Array(0));
}
