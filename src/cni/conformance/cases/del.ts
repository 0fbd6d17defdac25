/** DEL: leaves nothing, may come again, and does not need what may be gone. */

import { shown, succeeded } from '#cni/conformance/answer.ts';
import { type Case, type Facts, since } from '#cni/conformance/case.ts';
import { need } from '#cni/conformance/outcome.ts';
import type { CallOptions, Trial } from '#cni/conformance/trial.ts';

export function delCases({ subject }: Facts): Case[] {
  return [
    ...(subject.kind === 'meta' && !subject.endsWithInterface ? [restores] : []),
    {
      id: 'del.clean',
      about: 'after ADD and DEL node, pod and files are as before; DEL prints nothing',
      run: (trial) => leavesNothing(trial, {}),
    },
    {
      id: 'del.without-prevResult',
      about: 'DEL without prevResult too',
      run: (trial) => leavesNothing(trial, { prev: null }),
    },
    {
      id: 'del.twice',
      about: 'DEL may come twice, the second time without CNI_NETNS and prevResult as containerd sends it',
      async run(trial) {
        const pod = await trial.added();
        succeeded(await trial.call('DEL', pod));
        succeeded(await trial.call('DEL', pod, { env: { CNI_NETNS: '' }, prev: null }));
        succeeded(await trial.call('DEL', pod));
      },
    },
    {
      id: 'del.netns-gone',
      about: 'the namespace is gone, CNI_NETNS still names it',
      run: (trial) => afterNetns(trial, trial.noNetns),
    },
    {
      id: 'del.netns-empty',
      about: 'the namespace is gone, CNI_NETNS is empty',
      run: (trial) => afterNetns(trial, ''),
    },
    {
      id: 'del.others',
      about: 'DEL of one pod changes nothing of another',
      async run(trial) {
        const [one, other] = [await trial.added(), await trial.added()];
        const before = await trial.state(one);
        await trial.del(other);
        const mine = (await trial.changed(before, one)).filter(
          (line) => line.includes(`pod ${one.n}:`) || line.includes(one.id),
        );
        need(mine.length === 0, 'the other pod to be as it was', () => mine.join('\n'));
        if (since(trial.o.version, '0.4.0')) succeeded(await trial.call('CHECK', one));
      },
    },
  ];
}

const restores: Case = {
  id: 'del.restores',
  about:
    'after ADD and DEL of this plugin alone the interface that was there before it, its node and files are as before',
  async run(trial) {
    await trial.warmUp();
    const pod = await trial.pod();
    await trial.beneath(pod);
    const before = await trial.state(pod);
    await trial.add(pod);
    succeeded(await trial.call('DEL', pod));
    const left = await trial.changed(before, pod);
    need(left.length === 0, 'all to be as before its ADD', () => left.join('\n'));
  },
};

async function leavesNothing(trial: Trial, options: CallOptions): Promise<void> {
  await trial.warmUp();
  const pod = await trial.pod();
  const before = await trial.state(pod);
  await trial.add(pod);
  const answer = succeeded(await trial.call('DEL', pod, options));
  need(answer.stdout.trim() === '', 'DEL to print nothing', () => shown(answer));
  await trial.delBeneath(pod);
  const left = await trial.changed(before, pod);
  need(left.length === 0, 'node, pod and files as before ADD', () => left.join('\n'));
}

/** As when a container was killed: the kernel has taken its namespace away before anyone calls DEL. */
async function afterNetns(trial: Trial, netns: string): Promise<void> {
  await trial.warmUp();
  const before = await trial.state();
  const pod = await trial.added();
  pod.netns.close();
  await trial.del(pod, { env: { CNI_NETNS: netns } });
  const left = await trial.changed(before);
  need(left.length === 0, 'node and files as before ADD', () => left.join('\n'));
}
