/** What a plugin later in a chain does with what came before. */

import { addressesOf, objects, printed, refused, shown } from '#cni/conformance/answer.ts';
import type { Case, Facts } from '#cni/conformance/case.ts';
import { unchanged } from '#cni/conformance/cases/unchanged.ts';
import { need } from '#cni/conformance/outcome.ts';
import { has } from '#cni/conformance/read.ts';
import type { JsonObject } from '#wire/cni/json.ts';

export function chainCases(facts: Facts): Case[] {
  return [keepsResult, ...(facts.has('1.1.0') ? [keepsFields, keepsRoutes] : []), needsPrev];
}

const keepsResult: Case = {
  id: 'chain.keeps-result',
  about: 'what plugins before it answered is in its answer: interfaces, addresses, routes, DNS',
  async run(trial) {
    const pod = await trial.pod();
    await trial.beneath(pod);
    const dns = { nameservers: ['10.1.0.1'], search: ['example.org'] };
    const prev = { ...pod.prev, dns };
    const answer = await trial.call('ADD', pod, { prev });
    const result = printed(answer);
    const names = (of: JsonObject) =>
      objects(of.interfaces).map((link) => `${String(link.name)} ${String(link.sandbox ?? '')}`);
    const seen = () => shown(answer);
    need(
      names(prev).every((name) => names(result).includes(name)),
      `interfaces ${names(prev).join(', ')}`,
      seen,
    );
    need(String(addressesOf(result)) === String(addressesOf(prev)), `addresses ${addressesOf(prev).join(', ')}`, seen);
    const routes = (of: JsonObject) =>
      objects(of.routes)
        .map((route) => String(route.dst))
        .sort();
    need(String(routes(result)) === String(routes(prev)), `routes ${routes(prev).join(', ')}`, seen);
    need(JSON.stringify(result.dns ?? null) === JSON.stringify(dns), `dns ${JSON.stringify(dns)}`, seen);
  },
};

/** Of CNI 1.1.0: what a plugin does not use itself, another of the chain or the runtime may. */
const FIELDS = { name: 'vhost0', mtu: 1400, socketPath: '/run/vhost0.sock', pciID: '0000:00:1f.6' };

const keepsFields: Case = {
  id: 'chain.keeps-fields',
  about: 'an interface that a plugin before it named keeps its mtu, socketPath and pciID',
  version: '1.1.0',
  async run(trial) {
    const pod = await trial.pod();
    await trial.beneath(pod);
    const prev = { ...pod.prev, interfaces: [...objects(pod.prev?.interfaces), FIELDS] };
    const answer = await trial.call('ADD', pod, { prev });
    const kept = objects(printed(answer).interfaces).find(({ name }) => name === FIELDS.name);
    need(has(kept, FIELDS), `an interface ${JSON.stringify(FIELDS)}`, () => shown(answer));
  },
};

/** Its table is nobody's, so that it stands in no plugin's way. */
const ROUTE = { dst: '10.77.0.0/16', gw: '10.22.0.1', mtu: 1300, advmss: 1260, priority: 77, table: 177, scope: 0 };

const keepsRoutes: Case = {
  id: 'chain.keeps-routes',
  about: 'a route of a plugin before it keeps its mtu, advmss, priority, table and scope',
  version: '1.1.0',
  async run(trial) {
    const pod = await trial.pod();
    await trial.beneath(pod);
    const prev = { ...pod.prev, routes: [...objects(pod.prev?.routes), ROUTE] };
    const answer = await trial.call('ADD', pod, { prev });
    const kept = objects(printed(answer).routes).find(({ dst }) => dst === ROUTE.dst);
    need(has(kept, ROUTE), `a route ${JSON.stringify(ROUTE)}`, () => shown(answer));
  },
};

const needsPrev: Case = {
  id: 'chain.needs-prevResult',
  about: 'ADD without prevResult is refused with an error object, and leaves nothing',
  async run(trial) {
    await trial.warmUp();
    const pod = await trial.pod();
    await trial.beneath(pod);
    const before = await trial.state(pod);
    refused(await trial.call('ADD', pod, { prev: null }));
    await unchanged(trial, before, pod);
  },
};
