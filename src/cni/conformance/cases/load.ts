/** Many calls at once, and calls that are killed in the middle of their work. */

import { addressesOf, printed, shown, succeeded } from '#cni/conformance/answer.ts';
import type { Case, Facts } from '#cni/conformance/case.ts';
import { need } from '#cni/conformance/outcome.ts';
import type { Pod, Trial } from '#cni/conformance/trial.ts';

const AT_ONCE = 20;

export function loadCases(facts: Facts): Case[] {
  const unique = facts.subject.type !== 'static' && facts.subject.type !== 'loopback';
  return [
    {
      id: 'parallel.add-del',
      about: `${AT_ONCE} ADDs at once succeed${unique ? ' with addresses of their own' : ''}, ${AT_ONCE} DELs at once leave nothing`,
      async run(trial) {
        await trial.warmUp();
        const pods = await trial.pods(AT_ONCE);
        const before = await trial.state();
        const results = await Promise.all(pods.map((pod) => trial.add(pod)));
        const addresses = results.flatMap(addressesOf);
        if (unique)
          need(new Set(addresses).size === addresses.length, 'no address twice', () => addresses.sort().join(' '));
        await Promise.all(pods.map((pod) => trial.del(pod)));
        await clean(trial, before);
      },
    },
    {
      id: 'parallel.same-del',
      about: 'DEL of one container five times at once: all succeed, nothing is left',
      async run(trial) {
        await trial.warmUp();
        const pod = await trial.pod();
        const before = await trial.state(pod);
        await trial.add(pod);
        const answers = await Promise.all(Array.from({ length: 5 }, () => trial.call('DEL', pod)));
        for (const answer of answers) succeeded(answer);
        await trial.delBeneath(pod);
        await clean(trial, before, pod);
      },
    },
    {
      id: 'killed.add',
      about: `ADD killed at random moments: the DEL that follows succeeds and leaves nothing, and ADD then works`,
      async run(trial) {
        const usual = await usualTime(trial, 'ADD');
        for (let i = 0; i < trial.o.kills; i++) {
          const pod = await trial.pod();
          const before = await trial.state(pod);
          await trial.beneath(pod);
          const at = trial.o.random() * usual * 1.2;
          const killed = await trial.call('ADD', pod, { killAfterMs: at });
          if (killed.exit === 0) pod.result = printed(killed);
          await delClean(trial, pod, before, `ADD killed after ${at.toFixed(1)} ms`);
          await trial.add(pod);
          await trial.del(pod);
        }
      },
    },
    {
      id: 'killed.del',
      about: `DEL killed at random moments: the next DEL succeeds and leaves nothing`,
      async run(trial) {
        const usual = await usualTime(trial, 'DEL');
        for (let i = 0; i < trial.o.kills; i++) {
          const pod = await trial.pod();
          const before = await trial.state(pod);
          await trial.add(pod);
          const at = trial.o.random() * usual * 1.2;
          await trial.call('DEL', pod, { killAfterMs: at });
          await delClean(trial, pod, before, `DEL killed after ${at.toFixed(1)} ms`);
        }
      },
    },
    ...(usesRange(facts) ? [exhausted(facts)] : []),
  ];
}

async function clean(trial: Trial, before: readonly string[], ...pods: readonly Pod[]): Promise<void> {
  const left = await trial.changed(before, ...pods);
  need(left.length === 0, 'nothing to be left', () => left.join('\n'));
}

/** DEL of the whole chain, as a runtime does it: what hangs on an interface may go with that. */
async function delClean(trial: Trial, pod: Pod, before: readonly string[], what: string): Promise<void> {
  const answer = await trial.call('DEL', pod, pod.result ? {} : { prev: null });
  need(answer.exit === 0, `DEL to succeed after an ${what}`, () => shown(answer));
  await trial.delBeneath(pod);
  const left = await trial.changed(before, pod);
  need(left.length === 0, `nothing to be left by an ${what} and DEL`, () => left.join('\n'));
  delete pod.result;
}

/** Milliseconds that the verb usually takes here; also warms up what pods share. */
async function usualTime(trial: Trial, verb: 'ADD' | 'DEL'): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const pod = await trial.pod();
    const add = await trial.call('ADD', pod);
    pod.result = printed(add);
    const del = succeeded(await trial.call('DEL', pod));
    times.push(verb === 'ADD' ? add.ms : del.ms);
    await trial.delBeneath(pod);
    delete pod.result;
  }
  return Math.max(...times);
}

function usesRange(facts: Facts): boolean {
  return facts.subject.ipam === 'host-local' || facts.subject.type === 'host-local';
}

/** 10.24.0.0/30 has .1 for the gateway and .2 for a pod. */
function exhausted(facts: Facts): Case {
  const ipam = {
    type: 'host-local',
    dataDir: '{dir}/ipam',
    ranges: [[{ subnet: '10.24.0.0/30' }]],
  };
  return {
    id: 'ipam.exhausted',
    about: 'ADD when all addresses are given fails and leaves nothing; the address is given again after DEL',
    async run(trial) {
      trial.extra = facts.subject.kind === 'ipam' ? ipam : { ipam };
      const first = await trial.added();
      const second = await trial.pod();
      const before = await trial.state(second);
      const answer = await trial.call('ADD', second);
      need(answer.exit !== 0 && answer.json?.code !== undefined, 'an error object', () => shown(answer));
      await clean(trial, before, second);
      await trial.del(first);
      await trial.add(second);
    },
  };
}
