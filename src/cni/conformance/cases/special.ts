/** What is particular to one type: black box, so that it does not matter which tables a plugin uses. */

import { refused } from '#cni/conformance/answer.ts';
import type { Case, Facts } from '#cni/conformance/case.ts';
import { bandwidthCases } from '#cni/conformance/cases/bandwidth.ts';
import { bridgeCases, gateway, masquerade } from '#cni/conformance/cases/bridge.ts';
import { firewallCases } from '#cni/conformance/cases/firewall.ts';
import { hostLocalCases } from '#cni/conformance/cases/ipam.ts';
import { portmapCases } from '#cni/conformance/cases/portmap.ts';
import { linkInContainer, privateMode, sameVlan } from '#cni/conformance/cases/stacked.ts';
import { unchanged } from '#cni/conformance/cases/unchanged.ts';
import { must } from '#cni/conformance/exec.ts';
import { need } from '#cni/conformance/outcome.ts';
import { read } from '#cni/conformance/read.ts';

export function specialCases(facts: Facts): Case[] {
  switch (facts.subject.type) {
    case 'bridge':
      return bridgeCases();
    case 'ptp':
      return [gateway, masquerade];
    case 'macvlan':
      return [linkInContainer, privateMode];
    case 'ipvlan':
      return [linkInContainer];
    case 'vlan':
      return [linkInContainer, sameVlan];
    case 'portmap':
      return portmapCases();
    case 'bandwidth':
      return bandwidthCases();
    case 'firewall':
      return firewallCases();
    case 'host-device':
      return [deviceReturns, byHardwareAddress];
    case 'host-local':
      return hostLocalCases();
    case 'tuning':
      return [foreignSysctl];
    default:
      return [];
  }
}

const deviceReturns: Case = {
  id: 'del.device-returns',
  about: 'after DEL the device is on the node again, under its own name, without an alias',
  async run(trial) {
    const pod = await trial.added();
    need(!(await trial.links(trial.node)).includes('hd1'), 'the device to have left the node', () => 'it has not');
    await trial.del(pod);
    const row = (await read(trial.node, 'addr')).find((link) => link.ifname === 'hd1');
    need(row !== undefined, 'hd1 on the node', () => 'no such interface');
    need(row.ifalias === undefined, 'no alias, as before', () => `ifalias ${String(row.ifalias)}`);
  },
};

const byHardwareAddress: Case = {
  id: 'add.hwaddr',
  about: 'the device is found by its hardware address, too, and comes back',
  async run(trial) {
    const mac = '02:00:00:00:01:07';
    const pod = await trial.pod();
    await must(trial.node, ['ip', 'link', 'set', 'hd1', 'address', mac]);
    trial.extra = { device: '', hwaddr: mac };
    await trial.add(pod);
    const row = (await read(pod.netns, 'addr')).find((link) => link.ifname === trial.ifname);
    need(row?.address === mac, `${mac} in the pod`, () => JSON.stringify(row));
    await trial.del(pod);
    need((await trial.links(trial.node)).includes('hd1'), 'hd1 on the node again', () => 'it is not');
  },
};

const foreignSysctl: Case = {
  id: 'add.foreign-sysctl',
  about: 'a parameter that is not the pod’s network’s is refused, and nothing is changed',
  async run(trial) {
    await trial.warmUp();
    for (const name of ['kernel.hostname', 'net/../kernel/hostname']) {
      const pod = await trial.pod();
      await trial.beneath(pod);
      const before = await trial.state(pod);
      refused(await trial.call('ADD', pod, { conf: { sysctl: { [name]: 'conform' } } }));
      await unchanged(trial, before, pod);
    }
  },
};
