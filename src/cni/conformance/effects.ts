/** Looks for the effects that a descriptor names. */

import type { Effect } from '#cni/conformance/descriptor.ts';
import { run } from '#cni/conformance/exec.ts';
import { fill, type Values } from '#cni/conformance/fill.ts';
import { need } from '#cni/conformance/outcome.ts';
import { has, read } from '#cni/conformance/read.ts';
import type { Pod, Trial } from '#cni/conformance/trial.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import type { JsonObject } from '#wire/cni/json.ts';

/** How long a deletion that was answered may take to be seen, milliseconds. */
const SETTLE_MS = 1_500;

/** After ADD each of them is there, after DEL none. @throws Unmet */
export async function seeEffects(
  trial: Trial,
  pod: Pod,
  effects: readonly Effect[],
  values: Values,
  added: boolean,
): Promise<void> {
  for (const effect of effects) {
    const there = added && effect.absent !== true;
    const wanted = fill(effect.has, values);
    const netns = effect.in === 'pod' ? pod.netns : trial.node;
    const until = performance.now() + (added ? 0 : SETTLE_MS);
    let rows = await rowsOf(netns, effect, wanted);
    while (rows.some((row) => has(row, wanted)) !== there && performance.now() < until)
      rows = await rowsOf(netns, effect, wanted);
    const say = String(fill(effect.say, values));
    const expected = there ? `${say} (${effect.tool} ${JSON.stringify(wanted)})` : `not there: ${say}`;
    need(rows.some((row) => has(row, wanted)) === there, expected, () => JSON.stringify(rows));
  }
}

async function rowsOf(netns: Netns, effect: Effect, wanted: JsonObject): Promise<readonly JsonObject[]> {
  if (effect.tool !== 'sysctl') return read(netns, effect.tool);
  const ran = await run(netns, 'sysctl', ['-n', String(wanted.name)]);
  return [{ name: wanted.name, value: ran.stdout.trim() }];
}
