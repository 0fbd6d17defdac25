/** The CNI IPAM plugin `dhcp`: see README.md of this folder. */

import { fstatSync } from 'node:fs';
import { acquire, release, releaseUnused } from '#cni/dhcp/client.ts';
import { bootNow } from '#cni/dhcp/clock.ts';
import type { LeaseFolder, LeaseTender } from '#cni/dhcp/folder.ts';
import { phaseOf } from '#cni/dhcp/phase.ts';
import { bears, dhcpLink, findPod } from '#cni/dhcp/pod.ts';
import type { LeaseKey, LeaseRecord } from '#cni/dhcp/record.ts';
import { resultOf } from '#cni/dhcp/result.ts';
import type { DhcpLink } from '#cni/dhcp/talk.ts';
import { run } from '#cni/parts/run.ts';
import { needPrevResult, refuseDifferences } from '#cni/parts/verify.ts';
import type { Plugin, PluginCall, PodNetns } from '#cni/plugin.ts';
import { readDhcpConf } from '#cni/plugins/dhcp/conf.ts';
import { type ErrorCode, PolderError } from '#spec/errors.ts';
import type { CniResult } from '#wire/cni/result.ts';

export const dhcp: Plugin = { type: 'dhcp', add, del, check, status, gc };

interface Leases {
  readonly folder: LeaseFolder;
  readonly keeper?: LeaseTender;
}

/** @throws PolderError internal: whoever runs plugins has them. */
function leasesOf({ host }: PluginCall): Leases {
  if (host.leases) return host.leases;
  throw new PolderError('internal', { what: 'The plugin dhcp was run without a place for leases' });
}

/** Who has an address and does not renew it uses, sooner or later, one that belongs to somebody else. */
function keeperOf(call: PluginCall, code: Extract<ErrorCode, 'cni-try-later' | 'cni-not-available'>): LeaseTender {
  const { keeper } = leasesOf(call);
  if (keeper) return keeper;
  throw new PolderError(code, {
    what: 'The Polder agent is not running on this node: nobody would renew a DHCP lease',
  });
}

function keyOf({ conf, request }: PluginCall): LeaseKey {
  return { network: conf.name, containerId: request.containerId, ifname: request.ifname };
}

async function add(call: PluginCall): Promise<CniResult> {
  const { who, broadcast, priority, timeoutMs } = readDhcpConf(call);
  const keeper = keeperOf(call, 'cni-try-later');
  const key = keyOf(call);
  refuseSecond(call, key);
  using pod = call.caller.openPod(call.request.netns);
  const link = upLink(call, pod, broadcast);
  const asked = bootNow();
  const lease = await acquire(link, who, { timeoutMs });
  try {
    const place = { netns: call.caller.seen(pod.path), inode: fstatSync(pod.fd).ino };
    const chosen = { who, broadcast, ...(priority !== undefined && { priority }) };
    keeper.keep({ ...key, ...place, ...chosen, lease, asked, lost: false });
    return resultOf(lease, priority);
  } catch (error) {
    // DEL finds no lease that was not written down.
    releaseUnused(link, who, lease);
    throw error;
  }
}

function refuseSecond(call: PluginCall, key: LeaseKey): void {
  const had = leasesOf(call).folder.get(key);
  if (!had) return;
  const holder = `container ${key.containerId}, interface ${key.ifname} of network ${key.network},`;
  throw new PolderError('address-taken', { address: had.lease.address, holder });
}

/** The interface that the plugin before has made, brought up: it is asked by it. */
function upLink({ request: { ifname } }: PluginCall, pod: PodNetns, broadcast: boolean): DhcpLink {
  const link = dhcpLink(pod, pod.netlink.link(ifname), broadcast);
  if (!link) {
    const what = `The pod has no Ethernet interface ${ifname} (CNI_IFNAME) by which dhcp could ask`;
    throw new PolderError('cni-environment', { what });
  }
  run(pod.netlink, [{ op: 'link.set', name: ifname, change: { up: true } }]);
  return link;
}

async function del(call: PluginCall): Promise<void> {
  const record = leasesOf(call).folder.get(keyOf(call));
  if (record) await giveBack(call, record);
}

/** The file goes last: DEL that is killed before is done again. */
async function giveBack(call: PluginCall, record: LeaseRecord): Promise<void> {
  const { folder, keeper } = leasesOf(call);
  await keeper?.stop(record);
  // What it was before the upkeep ended.
  const last = folder.get(record) ?? record;
  using pod = findPod(last);
  if (pod && bears(pod, last)) release(pod.link, last.who, last.lease);
  folder.remove(last);
}

async function check(call: PluginCall): Promise<void> {
  const { ifname } = call.request;
  const record = leasesOf(call).folder.get(keyOf(call));
  if (!record) return refuseDifferences(call, [`there is no DHCP lease for ${ifname}`]);
  const { address } = record.lease;
  const said = needPrevResult(call).ips.some((ip) => ip.address === address);
  refuseDifferences(call, [
    ...(record.lost ? [`the DHCP lease of ${address} is lost`] : []),
    ...(phaseOf(record, bootNow()).phase === 'expired' ? [`the DHCP lease of ${address} has run out`] : []),
    ...(said ? [] : [`the DHCP lease is now of ${address}, which prevResult does not have`]),
  ]);
}

async function status(call: PluginCall): Promise<void> {
  readDhcpConf(call);
  keeperOf(call, 'cni-not-available');
}

async function gc(call: PluginCall): Promise<void> {
  const valid = new Set((call.conf.validAttachments ?? []).map((a) => `${a.containerID}/${a.ifname}`));
  const own = leasesOf(call)
    .folder.all()
    .filter(({ network }) => network === call.conf.name);
  const stale = own.filter(({ containerId, ifname }) => !valid.has(`${containerId}/${ifname}`));
  for (const record of stale) await giveBack(call, record);
}
