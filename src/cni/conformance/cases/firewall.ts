/** `firewall`: who may speak with a pod, and whose packets a node that forwards nothing lets through. */

import { hostAddress, printed, succeeded } from '#cni/conformance/answer.ts';
import type { Case } from '#cni/conformance/case.ts';
import { must, run } from '#cni/conformance/exec.ts';
import { NODE_ADDRESS, OUTSIDE_ADDRESS } from '#cni/conformance/ground.ts';
import { NotHere, need } from '#cni/conformance/outcome.ts';
import type { Pod, Trial } from '#cni/conformance/trial.ts';

export function firewallCases(): Case[] {
  return [admitted, sameBridge, isolated];
}

/** As Docker leaves a node. */
const admitted: Case = {
  id: 'traffic.admitted',
  about: 'where iptables forwards nothing, a pod reaches the outside with the plugin, and not before ADD or after DEL',
  async run(trial) {
    const drop = ['iptables', '-w', '-P', 'FORWARD', 'DROP'];
    const [program = '', ...args] = drop;
    const dropped = await run(trial.node, program, args).catch(() => undefined);
    if (dropped?.exit !== 0) throw new NotHere('there is no iptables that works here');
    await must(trial.outside, ['ip', 'route', 'add', '10.22.0.0/24', 'via', NODE_ADDRESS]);
    const pod = await trial.pod();
    await trial.beneath(pod);
    need(!(await trial.ping(pod.netns, OUTSIDE_ADDRESS)), 'no answer from outside before ADD', () => 'one');
    await trial.add(pod);
    need(await trial.reaches(pod.netns, OUTSIDE_ADDRESS), 'an answer from outside after ADD', () => 'none');
    succeeded(await trial.call('DEL', pod));
    need(!(await trial.ping(pod.netns, OUTSIDE_ADDRESS)), 'no answer from outside after DEL', () => 'one');
  },
};

const NO_BRIDGE = 'there is no bridge to go before it';

const sameBridge: Case = {
  id: 'traffic.same-bridge',
  about: 'ingressPolicy same-bridge: pods of one bridge reach one another, pods of two bridges do not',
  async run(trial) {
    const bridge = trial.o.beneath;
    if (bridge?.type !== 'bridge') throw new NotHere(NO_BRIDGE);
    const pods: Pod[] = [];
    trial.extra = { ingressPolicy: 'same-bridge' };
    for (const [name, subnet] of [
      ['cbr0', '10.22.0.0/24'],
      ['cbr0', '10.22.0.0/24'],
      ['cbr1', '10.25.0.0/24'],
    ] as const) {
      pods.push(await onBridge(trial, name, subnet));
    }
    const [a, b, c] = pods;
    if (!a || !b || !c) return;
    need(await trial.reaches(a.netns, hostAddress(b.result ?? {})), 'an answer on the same bridge', () => 'none');
    need(!(await trial.ping(a.netns, hostAddress(c.result ?? {}))), 'no answer from another bridge', () => 'one');
  },
};

const isolated: Case = {
  id: 'traffic.isolated',
  about: 'ingressPolicy isolated: pods of one bridge do not reach one another; the node reaches them',
  async run(trial) {
    if (trial.o.beneath?.type !== 'bridge') throw new NotHere(NO_BRIDGE);
    trial.extra = { ingressPolicy: 'isolated' };
    const pods = [await trial.pod(), await trial.pod()];
    for (const pod of pods) {
      const answer = await trial.call('ADD', pod);
      if (answer.exit !== 0 && /ingress ?policy/i.test(answer.stdout)) throw new NotHere('it has no policy "isolated"');
      pod.result = printed(answer);
    }
    const [a, b] = pods;
    if (!a || !b) return;
    const address = hostAddress(b.result ?? {});
    need(await trial.reaches(trial.node, address), 'an answer to the node', () => 'none');
    need(!(await trial.ping(a.netns, address)), 'no answer to a pod of the same bridge', () => 'one');
  },
};

/** A pod on a bridge of this name, by the plugins of the chain. */
async function onBridge(trial: Trial, name: string, subnet: string): Promise<Pod> {
  const pod = await trial.pod();
  const ipam = {
    type: 'host-local',
    dataDir: `${trial.dir}/ipam-${name}`,
    ranges: [[{ subnet }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  await trial.beneath(pod, { bridge: name, ipam });
  await trial.add(pod);
  return pod;
}
