/** Packets that must and must not pass. */

import { hostAddress } from '#cni/conformance/answer.ts';
import type { Case, Facts } from '#cni/conformance/case.ts';
import { need } from '#cni/conformance/outcome.ts';
import type { Pod, Trial } from '#cni/conformance/trial.ts';

export function trafficCases(facts: Facts): Case[] {
  const { traffic } = facts.subject;
  if (!traffic) return [];
  const cases: Case[] = [
    {
      id: 'traffic.pods',
      about: `two pods ${traffic.pods ? 'reach' : 'do not reach'} one another; after DEL of one they do not`,
      async run(trial) {
        const [a, b] = [await trial.added(), await trial.added()];
        const address = hostAddress(b.result ?? {});
        await passes(trial, a, address, traffic.pods);
        await trial.del(b);
        const gone = !(await trial.ping(a.netns, address));
        need(gone, `no answer from ${address} after DEL`, () => 'an answer');
      },
    },
    {
      id: 'traffic.node',
      about: `the node ${traffic.node ? 'reaches' : 'does not reach'} its pod; after DEL it does not`,
      async run(trial) {
        const pod = await trial.added();
        const address = hostAddress(pod.result ?? {});
        const answered = traffic.node
          ? await trial.reaches(trial.node, address)
          : await trial.ping(trial.node, address);
        need(answered === traffic.node, `${traffic.node ? 'an' : 'no'} answer from ${address} to the node`, () =>
          answered ? 'one' : 'none',
        );
        await trial.del(pod);
        need(!(await trial.ping(trial.node, address)), `no answer from ${address} after DEL`, () => 'an answer');
      },
    },
  ];
  return cases;
}

async function passes(trial: Trial, from: Pod, to: string, wanted: boolean): Promise<void> {
  const answered = wanted ? await trial.reaches(from.netns, to) : await trial.ping(from.netns, to);
  need(answered === wanted, `${wanted ? 'an' : 'no'} answer from ${to} to pod ${from.n}`, () =>
    answered ? 'an answer' : 'none',
  );
}
