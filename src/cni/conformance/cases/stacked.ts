/** Interfaces that stand on another one: `macvlan`, `ipvlan`, `vlan`. */

import { hostAddress, succeeded } from '#cni/conformance/answer.ts';
import { type Case, since } from '#cni/conformance/case.ts';
import { must } from '#cni/conformance/exec.ts';
import { need } from '#cni/conformance/outcome.ts';
import { read } from '#cni/conformance/read.ts';

export const linkInContainer: Case = {
  id: 'add.linkInContainer',
  about:
    'with linkInContainer the master is an interface of the pod; it is still there after DEL, and the other is gone',
  async run(trial) {
    trial.extra = { master: 'in0', linkInContainer: true };
    const pod = await trial.pod();
    const lines = ['link add in0 type veth peer name in1', 'link set in1 up', 'link set in0 up'];
    await must(pod.netns, ['ip', '-batch', '-'], lines.join('\n'));
    const before = await trial.state(pod);
    await trial.add(pod);
    const row = (await read(pod.netns, 'addr')).find(({ ifname }) => ifname === trial.ifname);
    need(row?.link === 'in0', `${trial.ifname} on in0`, () => JSON.stringify(row));
    if (since(trial.o.version, '0.4.0')) succeeded(await trial.call('CHECK', pod));
    await trial.del(pod);
    const left = (await trial.changed(before, pod)).filter((line) => line.includes(`pod ${pod.n}:`));
    need(left.length === 0, 'the pod as before ADD', () => left.join('\n'));
  },
};

export const privateMode: Case = {
  id: 'traffic.private',
  about: 'pods of mode private do not reach one another; the outside reaches them',
  async run(trial) {
    trial.extra = { mode: 'private' };
    const [a, b] = [await trial.added(), await trial.added()];
    const address = hostAddress(b.result ?? {});
    await must(trial.outside, ['ip', 'addr', 'add', '10.22.0.254/24', 'dev', 'out0']);
    need(await trial.reaches(trial.outside, address), 'an answer to the outside', () => 'none');
    need(!(await trial.ping(a.netns, address)), 'no answer to the other pod', () => 'one');
  },
};

/** The outside is in VLAN 1 as an interface, as the first pod is; the second pod is in VLAN 2. */
export const sameVlan: Case = {
  id: 'traffic.vlan',
  about: 'the outside reaches a pod by an interface of the same VLAN, and no pod of another VLAN',
  async run(trial) {
    const [same, other] = [await trial.added(), await trial.added()];
    const lines = [
      'link add link out0 name out0.1 type vlan id 1',
      'addr add 10.22.0.254/24 dev out0.1',
      'link set out0.1 up',
    ];
    await must(trial.outside, ['ip', '-batch', '-'], lines.join('\n'));
    need(await trial.reaches(trial.outside, hostAddress(same.result ?? {})), 'an answer of VLAN 1', () => 'none');
    need(!(await trial.ping(trial.outside, hostAddress(other.result ?? {}))), 'no answer of VLAN 2', () => 'one');
  },
};
