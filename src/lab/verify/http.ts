/** One HTTP request from inside a node's network namespace, by a socket made there. */

import { Socket } from 'node:net';
import { openNetns } from '#kernel/netns/netns.ts';
import { tcpInNetns } from '#kernel/netns/sockets.ts';
import { urlHost } from '#lab/verify/world.ts';

export interface SeenFromNode {
  /** Address that the node's socket had. */
  readonly from: string;
  /** The answer's body. */
  readonly body: string;
}

/** @throws Error if nothing answers within `limitMs`. */
export function getFromNode(
  netnsName: string,
  ip: string,
  port: number,
  path: string,
  limitMs: number,
): Promise<SeenFromNode> {
  using netns = openNetns({ name: netnsName });
  const socket = new Socket({ fd: tcpInNetns(netns, ip.includes(':') ? 6 : 4) });
  return new Promise((resolve, reject) => {
    let from = '';
    let answer = '';
    socket.setTimeout(limitMs, () => socket.destroy(new Error(`${ip}:${port} does not answer`)));
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('error', reject);
    socket.on('end', () => resolve({ from, body: bodyOf(answer) }));
    socket.connect(port, ip, () => {
      from = socket.localAddress ?? '';
      socket.write(`GET ${path} HTTP/1.0\r\nHost: ${urlHost(ip)}\r\n\r\n`);
    });
  });
}

/** Scripts may end the lines of their headers without a carriage return (RFC 3875 §6.2). */
function bodyOf(answer: string): string {
  return answer
    .split(/\r?\n\r?\n/)
    .slice(1)
    .join('\n')
    .trim();
}
