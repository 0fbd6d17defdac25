/** The verbs of CNI 1.1.0: STATUS and GC. */

import { refused, shown, succeeded } from '#cni/conformance/answer.ts';
import type { Case, Facts } from '#cni/conformance/case.ts';
import type { NotReady } from '#cni/conformance/descriptor.ts';
import { must } from '#cni/conformance/exec.ts';
import { fill } from '#cni/conformance/fill.ts';
import { need } from '#cni/conformance/outcome.ts';
import type { CallOptions, Pod } from '#cni/conformance/trial.ts';

/** CNI spec §"Error": the plugin is not available; 51: and what is attached already may be limited, too. */
export const NOT_AVAILABLE = [50, 51];

/** STATUS and GC came with 1.1.0. */
export function newVerbCases(facts: Facts): Case[] {
  const skip = facts.has('1.1.0') ? {} : { skip: 'it does not support 1.1.0, which brought this verb' };
  const cases: Case[] = [
    {
      id: 'status.ok',
      about: 'STATUS succeeds and prints nothing where ADD succeeds',
      async run(trial) {
        await trial.warmUp();
        const answer = succeeded(await trial.call('STATUS', undefined));
        need(answer.stdout.trim() === '', 'nothing on standard output', () => shown(answer));
      },
    },
    ...(facts.subject.notReady ? [notReady(facts.subject.notReady)] : []),
    {
      id: 'gc.keeps-valid',
      about: 'GC with every attachment valid changes nothing',
      async run(trial) {
        const pods = [await trial.added(), await trial.added()];
        const before = await trial.state(...pods);
        succeeded(await trial.call('GC', undefined, validOnly(pods)));
        const left = await trial.changed(before, ...pods);
        need(left.length === 0, 'nothing to change', () => left.join('\n'));
      },
    },
    {
      id: 'gc.removes-others',
      about: 'GC frees what belongs to attachments that are not valid, and nothing else; DEL after it succeeds',
      async run(trial) {
        await trial.warmUp();
        const kept = await trial.added();
        const before = await trial.state(kept);
        const lost = await trial.added();
        lost.netns.close();
        succeeded(await trial.call('GC', undefined, validOnly([kept])));
        await trial.delBeneath(lost, { CNI_NETNS: '' });
        const left = await trial.changed(before, kept);
        need(left.length === 0, 'only the valid attachment’s state to be left', () => left.join('\n'));
        succeeded(await trial.call('DEL', lost, { env: { CNI_NETNS: '' } }));
      },
    },
    {
      id: 'gc.ignores-other-networks',
      about: 'GC of another network leaves this one’s attachments alone',
      async run(trial) {
        const pod = await trial.added();
        const before = await trial.state(pod);
        succeeded(await trial.call('GC', undefined, { conf: { name: 'another', 'cni.dev/valid-attachments': [] } }));
        const left = await trial.changed(before, pod);
        need(left.length === 0, 'nothing to change', () => left.join('\n'));
      },
    },
  ];
  return cases.map((one) => ({ ...one, ...skip }));
}

function notReady({ say, conf = {}, run = [] }: NotReady): Case {
  return {
    id: 'status.not-ready',
    about: `STATUS fails with code 50 or 51 where ADD fails: ${say}`,
    async run(trial) {
      trial.extra = conf;
      for (const argv of run) await must(trial.node, fill(argv, trial.values()));
      refused(await trial.call('ADD', await trial.pod()));
      refused(await trial.call('STATUS', undefined), NOT_AVAILABLE);
    },
  };
}

/** For GC: these attachments, in the key of 1.1.0 and in that of its first draft. */
export function validOnly(pods: readonly Pod[]): CallOptions {
  const list = pods.map((pod) => ({ containerID: pod.id, ifname: pod.ifname }));
  return { conf: { 'cni.dev/valid-attachments': list, 'cni.dev/attachments': list } };
}
