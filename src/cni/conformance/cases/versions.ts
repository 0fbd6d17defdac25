/** ADD in every version that the plugin says it supports: the result is of that version. */

import { type Answer, addressesOf, isSandboxed, objects, printed, shown } from '#cni/conformance/answer.ts';
import { type Case, type Facts, RELEASED, since } from '#cni/conformance/case.ts';
import { need } from '#cni/conformance/outcome.ts';
import { isObject, type JsonObject } from '#wire/cni/json.ts';

export function versionCases(facts: Facts): Case[] {
  return RELEASED.filter(facts.has).map((version) => ({
    id: `versions.${version}`,
    about: `ADD and DEL as of ${version}: the result has the shape of that version`,
    version,
    async run(trial) {
      const pod = await trial.pod();
      const answer = await trial.call('ADD', pod);
      const result = printed(answer);
      need(result.cniVersion === version, `cniVersion ${version}`, () => shown(answer));
      shape(result, version, answer);
      pod.result = result;
      await trial.del(pod);
    },
  }));
}

function shape(result: JsonObject, version: string, answer: Answer): void {
  if (!since(version, '0.3.0')) {
    const good = result.ips === undefined && result.interfaces === undefined;
    need(good, 'ip4 and ip6, neither ips nor interfaces, before 0.3.0', () => shown(answer));
    return;
  }
  need(result.ip4 === undefined && result.ip6 === undefined, 'no ip4 and ip6 since 0.3.0', () => shown(answer));
  for (const ip of objects(result.ips)) {
    const family = String(ip.address).includes(':') ? '6' : '4';
    if (since(version, '1.0.0')) need(ip.version === undefined, 'no ips[].version since 1.0.0', () => shown(answer));
    else need(ip.version === family, `ips[].version "${family}" before 1.0.0`, () => shown(answer));
  }
}

/** The result of the newest version is consistent in itself. */
export function resultCase(facts: Facts): Case {
  return {
    id: 'add.result',
    about: 'the result names the interface with CNI_NETNS as its sandbox; indices and addresses are valid',
    async run(trial) {
      const pod = await trial.pod();
      const answer = await trial.call('ADD', pod);
      const result = printed(answer);
      const seen = () => shown(answer);
      const links = objects(result.interfaces);
      if (facts.subject.noInterface) need(addressesOf(result).length > 0, 'an address', seen);
      else {
        const own = links.find((link) => link.name === trial.ifname && link.sandbox === pod.path);
        need(own !== undefined, `an interface ${trial.ifname} with sandbox ${pod.path}`, seen);
      }
      for (const address of addressesOf(result))
        need(/^[0-9a-f.:]+\/\d+$/.test(address), 'addresses with length', seen);
      for (const ip of objects(result.ips)) need(soundIndex(ip, links), 'ips[].interface to be an index', seen);
      need(isObject(result.dns) || result.dns === undefined, 'dns to be an object', seen);
    },
  };
}

function soundIndex(ip: JsonObject, links: readonly JsonObject[]): boolean {
  if (ip.interface === undefined) return true;
  return typeof ip.interface === 'number' && isSandboxed(links[ip.interface]);
}
