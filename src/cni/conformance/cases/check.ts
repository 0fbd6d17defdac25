/** CHECK: notices what is not as ADD left it. */

import { refused, shown, succeeded } from '#cni/conformance/answer.ts';
import type { Case, Facts } from '#cni/conformance/case.ts';
import type { Tamper } from '#cni/conformance/descriptor.ts';
import { must } from '#cni/conformance/exec.ts';
import { fill } from '#cni/conformance/fill.ts';
import { need } from '#cni/conformance/outcome.ts';
import type { Pod, Trial } from '#cni/conformance/trial.ts';

export function checkCases(facts: Facts): Case[] {
  const skip = facts.has('0.4.0') ? {} : { skip: 'it supports no version with CHECK (0.4.0)' };
  const tampers = facts.subject.tampers ?? [];
  return [
    {
      id: 'check.ok',
      about: 'CHECK after ADD succeeds and prints nothing',
      async run(trial: Trial) {
        const answer = succeeded(await trial.call('CHECK', await trial.added()));
        need(answer.stdout.trim() === '', 'nothing on standard output', () => shown(answer));
      },
    },
    {
      id: 'check.never-added',
      about: 'CHECK of another container, of which there is nothing, fails',
      async run(trial: Trial) {
        const pod = await trial.added();
        const other: Pod = { ...(await trial.pod()), result: pod.result ?? {} };
        refused(await trial.call('CHECK', other));
      },
    },
    ...tampers.map((tamper) => tamperCase(tamper)),
  ]
    .filter((one) => one.id !== 'check.never-added' || !facts.subject.repeatable)
    .map((one) => ({ ...one, ...skip }));
}

function tamperCase(tamper: Tamper): Case {
  return {
    id: `check.${tamper.say}`,
    about: `CHECK fails after \`${tamper.run.join(' ')}\` ${tamper.in === 'pod' ? 'in the pod' : 'on the node'}`,
    async run(trial) {
      const pod = await trial.added();
      await must(tamper.in === 'pod' ? pod.netns : trial.node, fill(tamper.run, trial.values(pod)));
      refused(await trial.call('CHECK', pod));
    },
  };
}
