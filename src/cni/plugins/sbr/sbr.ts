/** The CNI plugin `sbr`: see README.md of this folder. */

import { failOn, ipsOf, needPrevResult } from '#cni/parts/chained.ts';
import { openPodIfThere } from '#cni/parts/pod-if-there.ts';
import { run } from '#cni/parts/run.ts';
import { Undo } from '#cni/parts/undo.ts';
import type { Plugin, PluginCall, PodNetns } from '#cni/plugin.ts';
import { movedRoutes, routesOf, rulePriority, sourceRule, waysOf } from '#cni/plugins/sbr/wanted.ts';
import { addrOf, hostPrefix } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { optUint, wrong } from '#wire/cni/json.ts';
import { ifReadable } from '#wire/cni/lenient.ts';
import type { CniIp, CniResult } from '#wire/cni/result.ts';
import type { NetlinkOp, Rule } from '#wire/netlink/values.ts';

export const sbr: Plugin = { type: 'sbr', add, del, check, status, gc };

/** `table`: routes stay where they are, and the rules lead to this table. */
function readTable({ conf }: PluginCall): number | undefined {
  const table = optUint(conf.raw, 'table', '');
  return table === 0 ? wrong('table', 'must be a routing table from 1', table) : table;
}

/** @throws PolderError cni-config if the interface has no address. */
function needIps(call: PluginCall): CniIp[] {
  const { ifname } = call.request;
  const ips = ipsOf(needPrevResult(call), ifname);
  if (ips.length > 0) return ips;
  throw new PolderError('cni-config', { what: `prevResult has no address on ${ifname}: nothing to route by` });
}

async function add(call: PluginCall): Promise<CniResult> {
  const given = readTable(call);
  const ips = needIps(call);
  const { ifname, netns } = call.request;
  using pod = call.caller.openPod(netns);
  if (!pod.netlink.link(ifname))
    throw new PolderError('cni-config', { what: `There is no interface ${ifname} in ${netns}` });
  await using undo = new Undo(call.host.log);
  const earlier = removeRules(pod, ips, given);
  undo.defer(() => pod.netlink.run(earlier.map((rule): NetlinkOp => ({ op: 'rule.add', rule }))));
  const places = given === undefined ? moveRoutes(pod, undo, ifname, ips) : ips.map((ip) => ({ ip, table: given }));
  for (const { ip, table } of places) {
    const rule = sourceRule(ip, table, rulePriority(pod.netlink.rules(), ip));
    run(pod.netlink, [{ op: 'rule.add', rule }]);
    undo.defer(() => pod.netlink.run([{ op: 'rule.del', rule }]));
  }
  undo.keep();
  return needPrevResult(call);
}

interface Place {
  readonly ip: CniIp;
  readonly table: number;
}

/** First into the new tables, then out of the old one: at no time is there no way. @returns each address' table */
function moveRoutes(pod: PodNetns, undo: Undo, ifname: string, ips: readonly CniIp[]): Place[] {
  const ways = waysOf(ips, pod.netlink.rules(), pod.netlink.routes());
  const old = routesOf(pod.netlink.routes(), ifname);
  const fresh = movedRoutes(old, ifname, ways);
  undo.defer(() => pod.netlink.run(fresh.map((route): NetlinkOp => ({ op: 'route.del', route }))));
  run(
    pod.netlink,
    fresh.map((route) => ({ op: 'route.replace', route })),
  );
  undo.defer(() => pod.netlink.run(old.map((route): NetlinkOp => ({ op: 'route.replace', route }))));
  // With a route the kernel may take others that lean on it.
  run(
    pod.netlink,
    old.toReversed().map((route) => ({ op: 'route.del', route })),
    'ESRCH',
  );
  return ways.flatMap((way) => way.ips.map((ip) => ({ ip, table: way.table })));
}

/** The rules go by themselves only with the namespace; the routes go with the interface. */
async function del(call: PluginCall): Promise<void> {
  using pod = openPodIfThere(call);
  if (!pod) return;
  const { ifname } = call.request;
  const onLink = pod.netlink.addresses().filter(({ link }) => link === ifname);
  const said = call.conf.prevResult ? ipsOf(call.conf.prevResult, ifname) : [];
  removeRules(
    pod,
    [...onLink, ...said],
    ifReadable(() => readTable(call)),
  );
}

/** Rules from exactly one of the addresses (to the given table, if one is given). @returns them */
function removeRules(pod: PodNetns, ips: readonly Pick<CniIp, 'address'>[], table: number | undefined): Rule[] {
  const from = new Set<string>(ips.map(({ address }) => hostPrefix(addrOf(address))));
  const meant = (rule: Rule) =>
    rule.from !== undefined && from.has(rule.from) && (table === undefined || rule.table === table);
  const rules = pod.netlink.rules().filter(meant);
  run(
    pod.netlink,
    rules.map((rule) => ({ op: 'rule.del', rule })),
    'ENOENT',
  );
  return rules;
}

async function check(call: PluginCall): Promise<void> {
  const given = readTable(call);
  const ips = needIps(call);
  const { ifname, netns } = call.request;
  using pod = call.caller.openPod(netns);
  const rules = pod.netlink.rules();
  const routes = pod.netlink.routes();
  const left = given === undefined ? routesOf(routes, ifname) : [];
  failOn(
    [
      ...ips.flatMap((ip) => {
        const from = hostPrefix(addrOf(ip.address));
        const rule = rules.find((one) => one.from === from && (given === undefined || one.table === given));
        if (!rule) return [`rule from ${from} is missing`];
        const way = ip.gateway === undefined || given !== undefined;
        const known =
          way || routes.some(({ table, hops }) => table === rule.table && hops.some(({ via }) => via === ip.gateway));
        return known ? [] : [`table ${rule.table} has no route via ${ip.gateway}`];
      }),
      ...left.map(({ to }) => `route ${to} dev ${ifname} is in the main table`),
    ],
    call,
  );
}

/** @throws PolderError cni-not-available (CNI code 50) if the kernel has no policy routing. */
async function status(call: PluginCall): Promise<void> {
  readTable(call);
  try {
    call.caller.netlink.rules();
  } catch (error) {
    throw new PolderError(
      'cni-not-available',
      { what: `The kernel has no policy routing: ${String(error)}` },
      { cause: error },
    );
  }
}

/** All is in the pods' own namespaces. */
async function gc(): Promise<void> {}
