/** How the channels of a Kubernetes WebSocket are written. */
export interface ChannelProtocol {
  /** Messages are text: the channel's digit, then base64. */
  readonly base64: boolean;
  /** The error channel carries a `Status` as JSON; before version 4 it was plain text. */
  readonly jsonStatus: boolean;
  /** A message of 255 and a channel's number closes that channel (version 5): the only half close there is. */
  readonly closeSignal: boolean;
}

/** The subprotocols of exec and attach; the empty one is a client that names none. */
export const CHANNEL_PROTOCOLS = {
  'v5.channel.k8s.io': { base64: false, jsonStatus: true, closeSignal: true },
  'v4.channel.k8s.io': { base64: false, jsonStatus: true, closeSignal: false },
  'v4.base64.channel.k8s.io': { base64: true, jsonStatus: true, closeSignal: false },
  'channel.k8s.io': { base64: false, jsonStatus: false, closeSignal: false },
  'base64.channel.k8s.io': { base64: true, jsonStatus: false, closeSignal: false },
  '': { base64: false, jsonStatus: false, closeSignal: false },
} as const satisfies Record<string, ChannelProtocol>;

/** SPDY's bytes inside binary messages: how kubectl forwards ports since 1.31. No token of HTTP, yet what clients send. */
export const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';

export type ChannelProtocolName = keyof typeof CHANNEL_PROTOCOLS;

export const COMMAND_PROTOCOLS: readonly ChannelProtocolName[] = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
];

/**
 * The first of the client's protocols that is spoken here, as the API server chooses; '' when the client names none,
 * undefined when nothing fits.
 */
export function chooseProtocol<T extends string>(header: string | undefined, spoken: readonly T[]): T | '' | undefined {
  const offered = (header ?? '').split(',').map((name) => name.trim());
  if (offered.every((name) => name === '')) return '';
  return offered.map((name) => spoken.find((known) => known === name)).find((name) => name !== undefined);
}
