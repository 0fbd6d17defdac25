/** ADD: the kernel is as the result says, as an independent reader sees it; a failed ADD leaves nothing. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addressesOf, isSandboxed, objects, printed, refused, succeeded } from '#cni/conformance/answer.ts';
import { type Case, type Facts, since } from '#cni/conformance/case.ts';
import { chainCases } from '#cni/conformance/cases/chain.ts';
import { inputCases } from '#cni/conformance/cases/input.ts';
import { nameCases } from '#cni/conformance/cases/names.ts';
import { unchanged } from '#cni/conformance/cases/unchanged.ts';
import type { Effect } from '#cni/conformance/descriptor.ts';
import { seeEffects } from '#cni/conformance/effects.ts';
import { must } from '#cni/conformance/exec.ts';
import { pathOf } from '#cni/conformance/ground.ts';
import { need } from '#cni/conformance/outcome.ts';
import { has, read } from '#cni/conformance/read.ts';
import { difference } from '#cni/conformance/snapshot.ts';
import type { Pod, Trial } from '#cni/conformance/trial.ts';
import type { JsonObject } from '#wire/cni/json.ts';

export function addCases(facts: Facts): Case[] {
  const { subject } = facts;
  return [
    ...(subject.noInterface ? [] : kernelCases()),
    ...effectCases(facts),
    ...inputCases(),
    ...(subject.repeatable ? [] : [twice]),
    // A plugin that changes only the node need not look at the namespace.
    ...(subject.kind === 'main' ? [netnsGone, ...wrongNetns] : []),
    ...(subject.kind === 'main' && subject.ifname !== 'lo' ? [nameTaken] : []),
    ...(subject.kind === 'meta' ? chainCases(facts) : []),
    ...nameCases(facts),
  ];
}

function kernelCases(): Case[] {
  return [
    {
      id: 'add.interfaces',
      about: 'each interface of the result is where it says, with the MAC and the MTU that it says',
      async run(trial) {
        const pod = await trial.added();
        for (const link of objects(pod.result?.interfaces)) await seeLink(trial, pod, link);
      },
    },
    {
      id: 'add.ip-interface',
      about: 'each address of the result says which interface has it',
      async run(trial) {
        const pod = await trial.added();
        const links = objects(pod.result?.interfaces);
        for (const ip of objects(pod.result?.ips)) {
          const named = typeof ip.interface === 'number' ? links[ip.interface]?.name : undefined;
          need(named !== undefined, `an interface for ${String(ip.address)}`, () => JSON.stringify(ip));
        }
      },
    },
    {
      id: 'add.addresses',
      about: 'the interface has the addresses of the result, and no others',
      async run(trial) {
        const pod = await trial.added();
        const wanted = addressesOf(pod.result ?? {}).sort();
        const seen = await addressesIn(trial, pod);
        need(
          String(seen) === String(wanted),
          `${wanted.join(', ') || 'no address'} on ${trial.ifname}`,
          () => seen.join(', ') || 'none',
        );
      },
    },
    {
      id: 'add.routes',
      about: 'the pod has the routes of the result',
      async run(trial) {
        const pod = await trial.added();
        const seen = [...(await read(pod.netns, 'route')), ...(await read(pod.netns, 'route6'))];
        for (const route of objects(pod.result?.routes)) {
          const dst = kernelDst(String(route.dst));
          const there = seen.some((row) => row.dst === dst && (route.gw === undefined || row.gateway === route.gw));
          const gateway = route.gw === undefined ? '' : ` via ${String(route.gw)}`;
          need(there, `a route ${dst}${gateway}`, () => JSON.stringify(seen.filter((row) => row.table !== 'local')));
        }
      },
    },
  ];
}

async function seeLink(trial: Trial, pod: Pod, link: JsonObject): Promise<void> {
  const inside = isSandboxed(link);
  const rows = await read(inside ? pod.netns : trial.node, 'addr');
  const row = rows.find((one) => one.ifname === link.name);
  const where = inside ? 'in the pod' : 'on the node';
  need(row !== undefined, `${where} an interface ${String(link.name)}`, () => rows.map((one) => one.ifname).join(', '));
  const brought = Array.isArray(row.flags) && row.flags.includes('UP');
  need(brought, `${String(link.name)} ${where} to be up`, () => JSON.stringify(row));
  // A bridge takes the MAC of its ports, so what was said may be past.
  if (link.mac && !has(row, { linkinfo: { info_kind: 'bridge' } }))
    need(row.address === link.mac, `MAC ${String(link.mac)} ${where}`, () => String(row.address));
  if (link.mtu) need(row.mtu === link.mtu, `MTU ${String(link.mtu)} ${where}`, () => String(row.mtu));
}

async function addressesIn(trial: Trial, pod: Pod): Promise<string[]> {
  const row = (await read(pod.netns, 'addr')).find((one) => one.ifname === trial.ifname);
  return objects(row?.addr_info)
    .filter((one) => one.scope !== 'link' && one.local !== undefined)
    .map((one) => `${String(one.local)}/${String(one.prefixlen)}`)
    .sort();
}

/** As iproute2 prints a destination. */
function kernelDst(dst: string): string {
  if (dst === '0.0.0.0/0' || dst === '::/0') return 'default';
  return dst.replace(dst.includes(':') ? /\/128$/ : /\/32$/, '');
}

function effectCases(facts: Facts): Case[] {
  const { subject } = facts;
  const plain = subject.effects ?? [];
  const own: Case[] = plain.length === 0 ? [] : [effectCase('add.effect', 'ADD makes, and DEL removes,', {}, plain)];
  const variants = (subject.variants ?? []).map((variant) => ({
    ...effectCase(
      `add.effect.${variant.name}`,
      `with ${JSON.stringify(variant.conf)} ADD makes, and DEL removes,`,
      variant.conf,
      variant.effects,
    ),
    ...(variant.needs && { needs: variant.needs }),
  }));
  return [...own, ...variants];
}

function effectCase(id: string, how: string, conf: JsonObject, effects: readonly Effect[]): Case {
  return {
    id,
    about: `${how} ${effects.map((effect) => effect.say).join('; ')}`,
    async run(trial) {
      trial.extra = conf;
      const pod = await trial.added();
      const values = trial.values(pod);
      await seeEffects(trial, pod, effects, values, true);
      // By itself: with the interface beneath it everything would be gone.
      if (trial.subject.endsWithInterface) await trial.del(pod);
      else succeeded(await trial.call('DEL', pod));
      await seeEffects(
        trial,
        pod,
        effects.filter((effect) => !effect.stays),
        values,
        false,
      );
      await trial.delBeneath(pod);
    },
  };
}

const twice: Case = {
  id: 'add.twice',
  about:
    'a second ADD of the same container and interface fails and leaves the first as it was; or, of a meta plugin, does it anew',
  async run(trial) {
    await trial.warmUp();
    const pod = await trial.pod();
    const before = await trial.state(pod);
    await trial.add(pod);
    const once = await trial.state(pod);
    const answer = await trial.call('ADD', pod);
    // Only what makes something must refuse to make it again.
    if (trial.subject.kind === 'meta' && answer.exit === 0) return doneAnew(trial, pod, before, printed(answer));
    refused(answer);
    const left = difference(once, await trial.state(pod));
    need(left.length === 0, 'the first attachment to be as it was', () => left.join('\n'));
  },
};

/** It is sound, and one DEL takes all of it away. */
async function doneAnew(trial: Trial, pod: Pod, before: readonly string[], result: JsonObject): Promise<void> {
  pod.result = result;
  if (since(trial.o.version, '0.4.0')) succeeded(await trial.call('CHECK', pod));
  await trial.del(pod);
  await unchanged(trial, before, pod);
}

const netnsGone: Case = {
  id: 'add.netns-missing',
  about: 'ADD with a CNI_NETNS that does not exist fails with an error object, and leaves nothing',
  async run(trial) {
    await trial.warmUp();
    const pod = await trial.pod();
    await trial.beneath(pod);
    const before = await trial.state(pod);
    refused(await trial.call('ADD', pod, { env: { CNI_NETNS: trial.noNetns } }));
    await unchanged(trial, before, pod);
  },
};

/** The node's own namespace, and a file that is none. */
const wrongNetns = (['own', 'file'] as const).map(
  (which): Case => ({
    id: `add.netns-${which}`,
    about: `ADD with ${which === 'own' ? 'the node’s own namespace' : 'a plain file'} as CNI_NETNS fails with an error object, and leaves nothing`,
    async run(trial) {
      await trial.warmUp();
      const file = join(trial.dir, 'no-namespace');
      if (which === 'file') writeFileSync(file, '');
      const pod = await trial.pod();
      await trial.beneath(pod);
      const before = await trial.state(pod);
      const CNI_NETNS = which === 'own' ? pathOf(trial.node) : file;
      refused(await trial.call('ADD', pod, { env: { CNI_NETNS } }));
      await unchanged(trial, before, pod);
    },
  }),
);

const nameTaken: Case = {
  id: 'add.name-taken',
  about: 'ADD fails if the pod has an interface of that name, leaves that alone and leaves nothing',
  async run(trial) {
    await trial.warmUp();
    const pod = await trial.pod();
    await must(pod.netns, ['ip', 'link', 'add', trial.ifname, 'type', 'bridge']);
    const before = await trial.state(pod);
    refused(await trial.call('ADD', pod));
    await unchanged(trial, before, pod);
  },
};
