/** Many calls at once, and calls that are killed in the middle of their work. */

import { addressesOf, printed, refused, shown, succeeded } from '#cni/conformance/answer.ts';
import type { Case, Facts } from '#cni/conformance/case.ts';
import { NOT_AVAILABLE, validOnly } from '#cni/conformance/cases/gc.ts';
import { unchanged } from '#cni/conformance/cases/unchanged.ts';
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
        await unchanged(trial, before);
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
        await unchanged(trial, before, pod);
      },
    },
    {
      id: 'parallel.mixed',
      about: `${AT_ONCE / 2} ADDs and ${AT_ONCE / 2} DELs of others at once succeed, and leave what they should`,
      async run(trial) {
        await trial.warmUp();
        const [old, fresh] = [await trial.pods(AT_ONCE / 2), await trial.pods(AT_ONCE / 2)];
        const before = await trial.state();
        await Promise.all(old.map((pod) => trial.add(pod)));
        await Promise.all([...old.map((pod) => trial.del(pod)), ...fresh.map((pod) => trial.add(pod))]);
        if (facts.has('0.4.0')) for (const pod of fresh) succeeded(await trial.call('CHECK', pod));
        await Promise.all(fresh.map((pod) => trial.del(pod)));
        await unchanged(trial, before);
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
    // A device that is lent to the pod goes with the namespace, or was not there yet: neither is a fault.
    ...(facts.has('1.1.0') && facts.subject.type !== 'host-device' ? [killedThenGc] : []),
    ...(facts.has('1.1.0') ? [killedGc] : []),
    ...(usesRange(facts) ? exhausted(facts) : []),
  ];
}

/** A runtime that loses a container with its namespace, and never calls DEL. */
const killedThenGc: Case = {
  id: 'killed.add-then-gc',
  about: 'ADD killed at random moments, and its namespace gone: GC, without a DEL, leaves nothing',
  async run(trial) {
    const usual = await usualTime(trial, 'ADD');
    for (let i = 0; i < trial.o.kills; i++) {
      const before = await trial.state();
      const pod = await trial.pod();
      await trial.beneath(pod);
      const at = trial.o.random() * usual * 1.2;
      await trial.call('ADD', pod, { killAfterMs: at });
      pod.netns.close();
      succeeded(await trial.call('GC', undefined, validOnly([])));
      await trial.delBeneath(pod, { CNI_NETNS: '' });
      const left = await trial.changed(before);
      need(left.length === 0, `nothing to be left by an ADD killed after ${at.toFixed(1)} ms and GC`, () =>
        left.join('\n'),
      );
    }
  },
};

const killedGc: Case = {
  id: 'killed.gc',
  about: 'GC killed at random moments: the next GC succeeds and leaves the valid attachments alone, and nothing else',
  async run(trial) {
    await trial.warmUp();
    const kept = await trial.added();
    const before = await trial.state(kept);
    const started = performance.now();
    succeeded(await trial.call('GC', undefined, validOnly([kept])));
    const usual = performance.now() - started;
    for (let i = 0; i < trial.o.kills; i++) {
      const lost = await trial.added();
      lost.netns.close();
      await trial.call('GC', undefined, { ...validOnly([kept]), killAfterMs: trial.o.random() * usual * 1.2 });
      succeeded(await trial.call('GC', undefined, validOnly([kept])));
      await trial.delBeneath(lost, { CNI_NETNS: '' });
      await unchanged(trial, before, kept);
    }
  },
};

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
function exhausted({ subject, has }: Facts): Case[] {
  const ipam = {
    type: 'host-local',
    dataDir: '{dir}/ipam',
    ranges: [[{ subnet: '10.24.0.0/30' }]],
  };
  const small = subject.kind === 'ipam' ? ipam : { ipam };
  const refusal: Case = {
    id: 'ipam.exhausted',
    about: 'ADD when all addresses are given fails and leaves nothing; the address is given again after DEL',
    async run(trial) {
      trial.extra = small;
      const first = await trial.added();
      const second = await trial.pod();
      const before = await trial.state(second);
      refused(await trial.call('ADD', second));
      await unchanged(trial, before, second);
      await trial.del(first);
      await trial.add(second);
    },
  };
  const status: Case = {
    id: 'status.exhausted',
    about: 'STATUS fails with code 50 or 51 while all addresses are given, and succeeds after DEL',
    async run(trial) {
      trial.extra = small;
      const pod = await trial.added();
      refused(await trial.call('STATUS', undefined), NOT_AVAILABLE);
      await trial.del(pod);
      succeeded(await trial.call('STATUS', undefined));
    },
  };
  return [refusal, ...(has('1.1.0') ? [status] : [])];
}
