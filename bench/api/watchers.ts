/**
 * Clients that watch all pods, in a process of their own: `node watchers.ts KUBECONFIG COUNT`. Says `ready` on a line when
 * all watch; at each line of standard input it prints `{all}`: the milliseconds from sending a write to a watcher's having its
 * event, for every event at every watcher since the last line.
 */

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { SENT, wallClock } from '#bench/api/pods.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { Transport } from '#feed/transport.ts';

const [kubeconfig = '', count = '0'] = process.argv.slice(2);
using transport = new Transport(loadKubeconfig(kubeconfig));
/** The stamp is found without parsing: what is measured is the server, not JSON. */
const STAMP = new RegExp(`"${SENT}":"([0-9.]+)"`);
const latencies: number[][] = Array.from({ length: Number(count) }, () => []);

async function follow(mine: number[], revision: string): Promise<void> {
  const path = `/api/v1/pods?watch=1&resourceVersion=${revision}`;
  const answer = await transport.open({ method: 'GET', path }, 'stream');
  void (async () => {
    let rest = '';
    for await (const chunk of answer) {
      const now = wallClock();
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) mine.push(now - Number(STAMP.exec(line)?.[1] ?? Number.NaN));
    }
  })();
}

const first = await transport.exchange({ method: 'GET', path: '/api/v1/pods?limit=1' });
const revision = /"resourceVersion":"(\d+)"/.exec(first.body)?.[1] ?? '';
for (const mine of latencies) await follow(mine, revision);
process.stdout.write('ready\n');

const input = createInterface({ input: process.stdin });
input.on('line', () => {
  const all = latencies.flatMap((mine) => mine.splice(0));
  process.stdout.write(`${JSON.stringify({ all })}\n`);
});
await once(input, 'close');
process.exit(0);
