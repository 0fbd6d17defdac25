/** `bridge`: what passes between its ports, and what its address may be. */

import { hostAddress, objects, printed, refused } from '#cni/conformance/answer.ts';
import type { Case } from '#cni/conformance/case.ts';
import { unchanged } from '#cni/conformance/cases/unchanged.ts';
import { must } from '#cni/conformance/exec.ts';
import { OUTSIDE_ADDRESS } from '#cni/conformance/ground.ts';
import { need } from '#cni/conformance/outcome.ts';
import { has, read } from '#cni/conformance/read.ts';
import type { Pod, Trial } from '#cni/conformance/trial.ts';
import type { JsonObject } from '#wire/cni/json.ts';

const GATEWAY = '10.22.0.1';

export function bridgeCases(): Case[] {
  return [gateway, masquerade, spoofed, isolatedPorts, vlans, force];
}

/** Of `ptp`, too. */
export const gateway: Case = {
  id: 'add.gateway',
  about: 'the result says the gateway that the IPAM plugin gave, and that the node has',
  async run(trial) {
    const pod = await trial.added();
    const [ip] = objects(pod.result?.ips);
    need(ip?.gateway === GATEWAY, `gateway ${GATEWAY}`, () => JSON.stringify(pod.result?.ips ?? null));
    const rows = await read(trial.node, 'addr');
    need(has(rows, [{ addr_info: [{ local: GATEWAY }] }]), `${GATEWAY} on the node`, () => JSON.stringify(rows));
  },
};

/** Of `ptp`, too. */
export const masquerade: Case = {
  id: 'traffic.masquerade',
  about: 'with ipMasq a pod reaches the outside, which has no route back; without it does not',
  needs: ['nft NAT'],
  async run(trial) {
    const plain = await trial.added();
    need(!(await trial.ping(plain.netns, OUTSIDE_ADDRESS)), 'no answer from outside without ipMasq', () => 'an answer');
    await trial.del(plain);
    trial.extra = { ipMasq: true };
    const pod = await trial.added();
    need(await trial.reaches(pod.netns, OUTSIDE_ADDRESS), 'an answer from outside with ipMasq', () => 'none');
    await trial.del(pod);
  },
};

const spoofed: Case = {
  id: 'traffic.macspoofchk',
  about: 'with macspoofchk a pod that takes another hardware address reaches nobody; without it does',
  async run(trial) {
    for (const macspoofchk of [false, true]) {
      trial.extra = { macspoofchk };
      const pod = await trial.added();
      need(await trial.reaches(pod.netns, GATEWAY), `an answer from ${GATEWAY}`, () => 'none');
      await must(pod.netns, ['ip', 'link', 'set', trial.ifname, 'address', '02:00:00:00:00:99']);
      const answered = macspoofchk ? await trial.ping(pod.netns, GATEWAY) : await trial.reaches(pod.netns, GATEWAY);
      const wanted = `${macspoofchk ? 'no' : 'an'} answer after that, macspoofchk ${macspoofchk}`;
      need(answered !== macspoofchk, wanted, () => (answered ? 'one' : 'none'));
      await trial.del(pod);
    }
  },
};

const isolatedPorts: Case = {
  id: 'traffic.portIsolation',
  about: 'with portIsolation pods of one bridge do not reach one another; the node reaches them',
  async run(trial) {
    trial.extra = { portIsolation: true };
    const [a, b] = [await trial.added(), await trial.added()];
    const address = hostAddress(b.result ?? {});
    need(await trial.reaches(trial.node, address), 'an answer to the node', () => 'none');
    need(!(await trial.ping(a.netns, address)), 'no answer to a pod of the same bridge', () => 'one');
  },
};

const vlans: Case = {
  id: 'traffic.vlan',
  about: 'pods of one VLAN of a bridge reach one another, pods of two VLANs do not',
  needs: ['bridge VLAN filtering'],
  async run(trial) {
    const inVlan = async (vlan: number): Promise<Pod> => {
      trial.extra = { vlan, isGateway: false };
      return trial.added();
    };
    const [a, b, c] = [await inVlan(100), await inVlan(100), await inVlan(200)];
    need(await trial.reaches(a.netns, hostAddress(b.result ?? {})), 'an answer in VLAN 100', () => 'none');
    need(!(await trial.ping(a.netns, hostAddress(c.result ?? {}))), 'no answer from VLAN 200', () => 'one');
  },
};

/** The bridge has a pod of another network already. */
const force: Case = {
  id: 'add.forceAddress',
  about: 'a bridge with another address is refused, and left as it was; with forceAddress it gets the new one',
  async run(trial) {
    trial.extra = ipamOf(trial, '10.25.0.0/24');
    await trial.add(await trial.pod());
    trial.extra = ipamOf(trial, '10.26.0.0/24');
    const pod = await trial.pod();
    const before = await trial.state(pod);
    refused(await trial.call('ADD', pod));
    await unchanged(trial, before, pod);
    pod.result = printed(await trial.call('ADD', pod, { conf: { forceAddress: true } }));
    const row = (await read(trial.node, 'addr')).find(({ ifname }) => ifname === 'cbr0');
    const forced =
      has(row, { addr_info: [{ local: '10.26.0.1' }] }) && !has(row, { addr_info: [{ local: '10.25.0.1' }] });
    need(forced, '10.26.0.1 on cbr0, and not 10.25.0.1', () => JSON.stringify(row?.addr_info));
  },
};

function ipamOf(trial: Trial, subnet: string): JsonObject {
  return { ipam: { type: 'host-local', dataDir: `${trial.dir}/ipam`, ranges: [[{ subnet }]] } };
}
