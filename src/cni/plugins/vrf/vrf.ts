/** The CNI plugin `vrf`: see README.md of this folder. */

import { failOn, needPrevResult } from '#cni/parts/chained.ts';
import { needAbility } from '#cni/parts/kernel-probe.ts';
import { openPodIfThere } from '#cni/parts/pod-if-there.ts';
import { run } from '#cni/parts/run.ts';
import { Undo } from '#cni/parts/undo.ts';
import type { Plugin, PluginCall, PodNetns } from '#cni/plugin.ts';
import { PolderError } from '#spec/errors.ts';
import type { NetConf } from '#wire/cni/conf.ts';
import { optString, optUint, wrong } from '#wire/cni/json.ts';
import { ifReadable } from '#wire/cni/lenient.ts';
import { badIfname } from '#wire/cni/names.ts';
import type { CniResult } from '#wire/cni/result.ts';
import { type Link, PROTO_KERNEL, type Route, TABLE_MAIN } from '#wire/netlink/values.ts';

export const vrf: Plugin = { type: 'vrf', add, del, check, status, gc };

interface VrfConf {
  readonly name: string;
  readonly table?: number;
}

interface VrfLink extends Link {
  readonly info: Extract<Link['info'], { kind: 'vrf' }>;
}

/** @throws PolderError cni-config (CNI code 7) naming the key. */
function readVrfConf({ conf }: PluginCall): VrfConf {
  const table = optUint(conf.raw, 'table', '');
  return { name: readName(conf), ...(table !== undefined && table !== 0 && { table }) };
}

function readName({ raw }: NetConf): string {
  const name = optString(raw, 'vrfname', '') ?? '';
  const bad = badIfname(name);
  return bad ? wrong('vrfname', bad, name) : name;
}

async function add(call: PluginCall): Promise<CniResult> {
  const conf = readVrfConf(call);
  const prev = needPrevResult(call);
  const { ifname, netns } = call.request;
  using pod = call.caller.openPod(netns);
  if (!pod.netlink.link(ifname))
    throw new PolderError('cni-config', { what: `There is no interface ${ifname} in ${netns}` });
  await using undo = new Undo(call.host.log);
  const { table } = ensureVrf(pod, conf, undo).info;
  undo.defer(() => join(pod, ifname, '', TABLE_MAIN));
  join(pod, ifname, conf.name, table);
  undo.keep();
  return prev;
}

/** @throws PolderError cni-config if the name is another interface's, or the VRF has another table. */
function ensureVrf(pod: PodNetns, conf: VrfConf, undo: Undo): VrfLink {
  const found = pod.netlink.link(conf.name);
  if (found) return fitting(found, conf);
  const table = conf.table ?? freeTable(pod);
  run(pod.netlink, [{ op: 'link.add', link: { name: conf.name, info: { kind: 'vrf', table }, up: true } }]);
  undo.defer(() => pod.netlink.run([{ op: 'link.del', name: conf.name }]));
  return needVrf(pod.netlink.link(conf.name), conf);
}

function fitting(link: Link, conf: VrfConf): VrfLink {
  const found = needVrf(link, conf);
  if (conf.table === undefined || found.info.table === conf.table) return found;
  throw new PolderError('cni-config', { what: `VRF ${conf.name} has table ${found.info.table}, not ${conf.table}` });
}

function needVrf(link: Link | undefined, { name }: VrfConf): VrfLink {
  if (link && isVrf(link)) return link;
  throw new PolderError('cni-config', {
    what: link ? `There is an interface ${name} that is no VRF` : `There is no VRF ${name}`,
  });
}

function isVrf(link: Link): link is VrfLink {
  return link.info.kind === 'vrf';
}

function freeTable(pod: PodNetns): number {
  const links = pod.netlink.links().filter(isVrf);
  const used = new Set([...links.map(({ info }) => info.table), ...pod.netlink.routes().map(({ table }) => table)]);
  let table = 1;
  while (used.has(table)) table++;
  return table;
}

/**
 * The kernel sets an interface down and up when it changes its master: IPv6 addresses and routes are lost by that, and
 * are put back, the routes into the other table.
 */
function join(pod: PodNetns, ifname: string, master: string, table: number): void {
  const { netlink } = pod;
  const addresses = netlink.addresses().filter(({ link, scope }) => link === ifname && scope !== 'link');
  const routes = netlink.routes().filter((route) => isOwn(route, ifname));
  run(netlink, [{ op: 'link.set', name: ifname, change: { master, up: true } }]);
  run(
    netlink,
    addresses.map((address) => ({ op: 'addr.replace', address })),
  );
  run(
    netlink,
    routes.map((route) => ({ op: 'route.replace', route: { ...route, table } })),
  );
}

function isOwn({ hops, protocol, type }: Route, ifname: string): boolean {
  return type === 'unicast' && protocol !== PROTO_KERNEL && hops.length === 1 && hops[0]?.link === ifname;
}

/** The VRF goes with its last interface. */
async function del(call: PluginCall): Promise<void> {
  using pod = openPodIfThere(call);
  const found = pod && vrfAtDel(call, pod);
  if (!found) return;
  const { ifname } = call.request;
  if (pod.netlink.link(ifname)?.master === found.index) join(pod, ifname, '', TABLE_MAIN);
  const left = pod.netlink.links().some(({ master }) => master === found.index);
  if (!left) run(pod.netlink, [{ op: 'link.del', name: found.name }], 'ENODEV');
}

/** Of the configuration's name; without one that can be read, that in which the interface is. */
function vrfAtDel({ conf, request }: PluginCall, { netlink }: PodNetns): VrfLink | undefined {
  const name = ifReadable(() => readName(conf));
  const master = netlink.link(request.ifname)?.master;
  const found = name === undefined ? netlink.links().find(({ index }) => index === master) : netlink.link(name);
  return found && isVrf(found) ? found : undefined;
}

async function check(call: PluginCall): Promise<void> {
  const conf = readVrfConf(call);
  needPrevResult(call);
  const { ifname, netns } = call.request;
  using pod = call.caller.openPod(netns);
  const found = pod.netlink.link(conf.name);
  if (!found || !isVrf(found)) return failOn([`VRF ${conf.name} is missing`], call);
  const { table } = found.info;
  const master = pod.netlink.link(ifname)?.master;
  failOn(
    [
      ...(conf.table !== undefined && table !== conf.table
        ? [`VRF ${conf.name} has table ${table}, not ${conf.table}`]
        : []),
      ...(master === found.index ? [] : [`${ifname} is not in VRF ${conf.name}`]),
    ],
    call,
  );
}

/** @throws PolderError cni-not-available (CNI code 50) where the kernel has no VRF. */
async function status(call: PluginCall): Promise<void> {
  const { name } = readVrfConf(call);
  needAbility('vrf', [{ op: 'link.add', link: { name, info: { kind: 'vrf', table: 1 } } }]);
}

/** All is in the pods' own namespaces. */
async function gc(): Promise<void> {}
