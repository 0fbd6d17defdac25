/** CNI_IFNAME: the interface has the name that was asked for, and is one attachment of several that a container may have. */

import { addressesOf, isSandboxed, objects, succeeded } from '#cni/conformance/answer.ts';
import type { Case, Facts } from '#cni/conformance/case.ts';
import { validOnly } from '#cni/conformance/cases/gc.ts';
import { seeEffects } from '#cni/conformance/effects.ts';
import { fill } from '#cni/conformance/fill.ts';
import { need } from '#cni/conformance/outcome.ts';
import type { CallOptions, Pod, Trial } from '#cni/conformance/trial.ts';

const OTHER = 'net7';

export function nameCases({ subject, has }: Facts): Case[] {
  if (subject.ifname !== undefined) return [];
  // A device that was lent stays in the pod: GC is not told of a namespace.
  const two = [twoInterfaces, ...(has('1.1.0') && subject.type !== 'host-device' ? [collectOne] : [])];
  return [
    otherName,
    // Beside a meta plugin it would be a trial of those before it.
    ...(subject.kind === 'meta' ? [] : two.map((one) => ({ ...one, ...(subject.single && { skip: subject.single }) }))),
  ];
}

const otherName: Case = {
  id: 'add.ifname',
  about: `with CNI_IFNAME=${OTHER} everything is done to an interface of that name`,
  async run(trial) {
    const pod = await trial.pod(OTHER);
    await trial.add(pod);
    await seeEffects(trial, pod, trial.subject.effects ?? [], trial.values(pod), true);
    if (trial.subject.noInterface) return;
    const named = objects(pod.result?.interfaces).some((link) => link.name === OTHER && isSandboxed(link));
    need(named, `an interface ${OTHER} in the result`, () => JSON.stringify(pod.result?.interfaces ?? null));
    const links = await trial.links(pod.netns);
    need(links.includes(OTHER) && !links.includes(trial.ifname), `${OTHER} in the pod`, () => links.join(', '));
  },
};

const twoInterfaces: Case = {
  id: 'add.two-interfaces',
  about: 'one container has two interfaces; DEL of one leaves the other as it was',
  async run(trial) {
    const [first, second] = await twoOf(trial);
    const before = await trial.state(first);
    await trial.add(second, secondConf(trial, second));
    const addresses = [first, second].flatMap((pod) => addressesOf(pod.result ?? {}));
    if (!trial.subject.repeatable)
      need(new Set(addresses).size === addresses.length, 'addresses of their own', () => addresses.join(', '));
    await trial.del(second, secondConf(trial, second));
    const left = await trial.changed(before, first);
    need(left.length === 0, `${first.ifname} to be as before`, () => left.join('\n'));
    succeeded(await trial.call('CHECK', first));
  },
};

const collectOne: Case = {
  id: 'gc.by-interface',
  about: 'GC keeps the interface of a container that is valid, and removes its other one, which is not',
  version: '1.1.0',
  async run(trial) {
    const [first, second] = await twoOf(trial);
    const before = await trial.state(first);
    await trial.add(second, secondConf(trial, second));
    succeeded(await trial.call('GC', undefined, validOnly([first])));
    // Of an interface that has no end on the node GC cannot know in which namespace it is.
    const inPod = (line: string) => line.includes(` pod ${first.n}: `) && line.includes(OTHER);
    const left = (await trial.changed(before, first)).filter((line) => !inPod(line));
    need(left.length === 0, `${first.ifname} and the node to be as before`, () => left.join('\n'));
    succeeded(await trial.call('CHECK', first));
  },
};

async function twoOf(trial: Trial): Promise<readonly [Pod, Pod]> {
  await trial.warmUp();
  const first = await trial.added();
  return [first, await trial.another(first, OTHER)];
}

function secondConf(trial: Trial, second: Pod): CallOptions {
  return { conf: fill(trial.subject.second ?? {}, trial.values(second)) };
}
