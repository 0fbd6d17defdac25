/** `host-local`: which addresses it gives, and which it does not. */

import { addressesOf, hostAddress, objects, refused, shown } from '#cni/conformance/answer.ts';
import type { Case } from '#cni/conformance/case.ts';
import { unchanged } from '#cni/conformance/cases/unchanged.ts';
import { need } from '#cni/conformance/outcome.ts';
import { has } from '#cni/conformance/read.ts';
import type { Trial } from '#cni/conformance/trial.ts';

export function hostLocalCases(): Case[] {
  return [...requestCases(), range, bothFamilies, told];
}

/** The ways to ask for an address (CNI conventions). */
function requestCases(): Case[] {
  const wanted = '10.22.0.77';
  const ways: Record<string, Parameters<Trial['add']>[1]> = {
    'CNI_ARGS-IP': { env: { CNI_ARGS: `IP=${wanted}` } },
    'args.cni.ips': { conf: { args: { cni: { ips: [wanted] } } } },
    'runtimeConfig.ips': { conf: { runtimeConfig: { ips: [wanted] } } },
  };
  const asked = Object.entries(ways).map(
    ([name, options]): Case => ({
      id: `ipam.request-${name}`,
      about: `an address asked for by ${name} is given; a second time it is refused`,
      async run(trial) {
        const pod = await trial.added(options);
        need(hostAddress(pod.result ?? {}) === wanted, wanted, () => JSON.stringify(pod.result ?? null));
        const answer = await trial.call('ADD', await trial.pod(), options);
        need(answer.exit !== 0, 'a second ADD for it to fail', () => shown(answer));
      },
    }),
  );
  return [
    ...asked,
    {
      id: 'ipam.not-in-range',
      about: 'an address outside the range is refused, and none is given',
      async run(trial) {
        const before = await trial.state();
        const answer = await trial.call('ADD', await trial.pod(), { env: { CNI_ARGS: 'IP=192.0.2.1' } });
        need(answer.exit !== 0, 'ADD to fail', () => shown(answer));
        await unchanged(trial, before);
      },
    },
  ];
}

const range: Case = {
  id: 'ipam.range',
  about:
    'rangeStart and rangeEnd bound what is given, the gateway within them is not given, and what is full is refused',
  async run(trial) {
    const set = [{ subnet: '10.22.0.0/24', rangeStart: '10.22.0.50', rangeEnd: '10.22.0.52', gateway: '10.22.0.51' }];
    trial.extra = { ranges: [set] };
    const results = [await trial.add(await trial.pod()), await trial.add(await trial.pod())];
    const given = results.map(hostAddress).sort();
    need(String(given) === '10.22.0.50,10.22.0.52', '10.22.0.50 and 10.22.0.52', () => given.join(', '));
    refused(await trial.call('ADD', await trial.pod()));
  },
};

const told: Case = {
  id: 'ipam.result',
  about: 'the result says the gateway and the routes of the configuration; without a gateway, the first address',
  async run(trial) {
    const routes = [{ dst: '0.0.0.0/0' }, { dst: '10.99.0.0/16', gw: '10.22.0.9' }];
    for (const [given, gateway] of [
      [{}, '10.22.0.1'],
      [{ gateway: '10.22.0.254' }, '10.22.0.254'],
    ] as const) {
      trial.extra = { ranges: [[{ subnet: '10.22.0.0/24', ...given }]], routes };
      const result = await trial.add(await trial.pod());
      const [ip] = objects(result.ips);
      need(ip?.gateway === gateway, `gateway ${gateway}`, () => JSON.stringify(result.ips ?? null));
      need(
        routes.every((route) => has(result.routes, [route])),
        `routes ${JSON.stringify(routes)}`,
        () => JSON.stringify(result.routes ?? null),
      );
    }
  },
};

const bothFamilies: Case = {
  id: 'ipam.both-families',
  about: 'of each list of ranges one address is given, and DEL frees them all',
  async run(trial) {
    trial.extra = { ranges: [[{ subnet: '10.22.0.0/24' }], [{ subnet: 'fd00:22::/64' }]] };
    await trial.warmUp();
    const before = await trial.state();
    const pod = await trial.added();
    const given = addressesOf(pod.result ?? {});
    const sound = given.length === 2 && given.some((one) => /^10\.22\.0\..*\/24$/.test(one));
    need(sound && given.some((one) => /^fd00:22::.*\/64$/.test(one)), 'an address of each', () => given.join(', '));
    await trial.del(pod);
    await unchanged(trial, before);
  },
};
