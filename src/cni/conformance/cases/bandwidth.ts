/** `bandwidth`: how long it takes to move a known amount, each way. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostAddress } from '#cni/conformance/answer.ts';
import type { Case } from '#cni/conformance/case.ts';
import { listening } from '#cni/conformance/echo.ts';
import { PATH, run, tied } from '#cni/conformance/exec.ts';
import { NODE_ADDRESS } from '#cni/conformance/ground.ts';
import { need } from '#cni/conformance/outcome.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';

/** Bytes; with the burst of 800 and 1600 kbit that the descriptor gives, they take 1.9 s at 8 Mbit/s, 1 s at 16. */
const AMOUNT = { toPod: 2_000_000, fromPod: 2_200_000 } as const;
/** Milliseconds; unshaped it takes a few. */
const LEAST = 600;

export function bandwidthCases(): Case[] {
  return [
    shaped('to-pod', 'what goes to the pod is held to ingressRate', 'toPod'),
    shaped('from-pod', 'what comes from the pod is held to egressRate', 'fromPod'),
  ];
}

function shaped(name: string, about: string, way: keyof typeof AMOUNT): Case {
  return {
    id: `traffic.${name}`,
    about,
    async run(trial) {
      const pod = await trial.added();
      const toPod = way === 'toPod';
      const [from, to] = toPod ? [trial.node, pod.netns] : [pod.netns, trial.node];
      const address = toPod ? hostAddress(pod.result ?? {}) : NODE_ADDRESS;
      const { bytes, ms } = await transfer(from, to, address, AMOUNT[way]);
      need(bytes === AMOUNT[way], `${AMOUNT[way]} bytes to arrive`, () => `${bytes}`);
      need(ms >= LEAST, `them to take ${LEAST} ms at least`, () => `${Math.round(ms)} ms`);
    },
  };
}

interface Transfer {
  readonly bytes: number;
  /** Milliseconds from the first connection to the last byte. */
  readonly ms: number;
}

async function transfer(from: Netns, to: Netns, address: string, amount: number): Promise<Transfer> {
  const env = { PATH };
  const [file, argv] = tied('socat', ['-u', 'TCP-LISTEN:5001,reuseaddr', 'STDOUT']);
  const server = inNetns(to, () => spawn(file, argv, { env, stdio: ['ignore', 'pipe', 'ignore'], detached: true }));
  let bytes = 0;
  server.stdout.on('data', (chunk: Uint8Array) => {
    bytes += chunk.length;
  });
  const ended = once(server, 'close');
  await listening(server, to, 'tcp', 5001);
  const started = performance.now();
  const send = `head -c ${amount} /dev/zero | socat -u - TCP:${address}:5001,connect-timeout=10`;
  const { exit } = await run(from, 'sh', ['-c', send]);
  if (exit !== 0) server.kill('SIGKILL');
  await ended;
  return { bytes, ms: performance.now() - started };
}
