/** A whole conflist, as a runtime goes through it: each plugin's executable in turn, with the result so far. */

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type Command, type Conf, environment, type Side } from '#bench/cni-add/sides.ts';
import type { Netns } from '#kernel/netns/netns.ts';

export interface Link {
  readonly side: Side;
  readonly conf: Conf;
}

/** What a runtime sends for a pod with a mapped port and limits. */
const RUNTIME_CONFIG = {
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
  bandwidth: { ingressRate: 80_000_000, ingressBurst: 8_000_000, egressRate: 80_000_000, egressBurst: 8_000_000 },
};

/** The plugins that come after the one that makes the interface. */
export const LATER: readonly (Omit<Conf, 'name'> & { readonly type: string })[] = [
  { type: 'portmap', capabilities: { portMappings: true }, runtimeConfig: RUNTIME_CONFIG },
  { type: 'bandwidth', capabilities: { bandwidth: true }, runtimeConfig: RUNTIME_CONFIG },
];

/** One attachment, made and taken away. @returns milliseconds of all executables together, for each. */
export function callChain(
  timer: string,
  chain: readonly Link[],
  pod: Netns,
  id: string,
): Record<'ADD' | 'DEL', number> {
  let result: unknown;
  let add = 0;
  for (const link of chain) {
    const { ms, said } = once(timer, link, 'ADD', pod, id, result);
    result = JSON.parse(said);
    add += ms;
  }
  const del = chain.toReversed().map((link) => once(timer, link, 'DEL', pod, id, result).ms);
  return { ADD: add, DEL: del.reduce((sum, ms) => sum + ms, 0) };
}

function once(timer: string, { side, conf }: Link, command: Command, pod: Netns, id: string, prevResult: unknown) {
  const text = { cniVersion: '1.0.0', ...conf, ...(prevResult !== undefined && { prevResult }) };
  writeFileSync(side.confFile, JSON.stringify(text));
  const env = environment(side, command, pod, id);
  const done = spawnSync(timer, [side.confFile, side.program], { env, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${side.name} ${conf.type} ${command}: ${done.stdout}${done.stderr}`);
  // The timer's own word is its standard output, that of what it runs its standard error.
  return { ms: Number(done.stdout) / 1000, said: done.stderr };
}
