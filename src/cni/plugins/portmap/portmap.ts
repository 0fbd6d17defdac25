/** The CNI plugin `portmap`: see README.md of this folder. */

import { failOn, ipsInSandbox, needPrevResult } from '#cni/parts/chained.ts';
import type { Placed } from '#cni/parts/owned-elements.ts';
import { ownerOfCall, staleIn } from '#cni/parts/owner.ts';
import { forgetReferencePorts } from '#cni/parts/reference-rules.ts';
import type { Plugin, PluginCall } from '#cni/plugin.ts';
import { type PortmapConf, readPortmapConf } from '#cni/plugins/portmap/conf.ts';
import { tableDifferences } from '#cni/plugins/portmap/differences.ts';
import { elementsOf, podAddresses } from '#cni/plugins/portmap/elements.ts';
import { admitLocalhost, localnetDifferences } from '#cni/plugins/portmap/localhost.ts';
import { place, removeOwned } from '#cni/plugins/portmap/place.ts';
import { baseOps, TABLE } from '#cni/plugins/portmap/table.ts';
import { addrOf, type IfAddr } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { lookup } from '#wire/cni/json.ts';
import type { CniResult } from '#wire/cni/result.ts';

export const portmap: Plugin = { type: 'portmap', add, del, check, status, gc };

interface Asked {
  readonly conf: PortmapConf;
  readonly prev: CniResult;
  readonly pod: readonly IfAddr[];
  readonly placed: readonly Placed[];
}

async function add(call: PluginCall): Promise<CniResult> {
  const { conf, prev, pod, placed } = askedOf(call);
  if (placed.length === 0) return prev;
  needSctp(call, conf);
  place(call, conf, pod.map(addrOf), placed);
  try {
    if (conf.snat) admitLocalhost(call, pod);
  } catch (error) {
    removeOwned(call, isOwner(call));
    throw error;
  }
  return prev;
}

function askedOf(call: PluginCall): Asked {
  const conf = readPortmapConf(call.conf);
  const prev = needPrevResult(call);
  const pod = podAddresses(ipsInSandbox(prev, call.request.ifname));
  return { conf, prev, pod, placed: elementsOf(conf, pod, ownerOfCall(call)) };
}

/** nft would take the rule; but a kernel that does not track SCTP translates nothing. */
function needSctp(call: PluginCall, conf: PortmapConf): void {
  if (!conf.mappings.some(({ protocol }) => protocol === 'sctp')) return;
  if (tracksSctp(call)) return;
  loadConntrack(call);
  if (tracksSctp(call)) return;
  throw new PolderError('kernel-feature-missing', { feature: 'SCTP connection tracking', detail: '' });
}

function tracksSctp({ caller }: PluginCall): boolean {
  try {
    caller.readSysctl('net.netfilter.nf_conntrack_sctp_timeout_established');
    return true;
  } catch {
    return false;
  }
}

/** The parameters of a module that nobody has needed yet are not there: that the table is tried makes the kernel load it. */
function loadConntrack({ caller }: PluginCall): void {
  caller.nft.apply(TABLE, baseOps(), { dryRun: true });
}

function isOwner(call: PluginCall): (owner: string) => boolean {
  const own = ownerOfCall(call);
  return (owner) => owner === own;
}

async function del(call: PluginCall): Promise<void> {
  removeOwned(call, isOwner(call));
  if (lookup(call.conf.runtimeConfig, 'portMappings') !== undefined) forgetReferencePorts(call);
}

async function gc(call: PluginCall): Promise<void> {
  removeOwned(call, staleIn(call));
}

async function check(call: PluginCall): Promise<void> {
  const { conf, pod, placed } = askedOf(call);
  if (placed.length === 0) return;
  const listing = call.caller.nft.list(TABLE);
  failOn([...tableDifferences(listing, conf, placed), ...(conf.snat ? localnetDifferences(call, pod) : [])], call);
}

/** @throws PolderError cni-not-available (CNI code 50) when the kernel would not take the table. */
async function status(call: PluginCall): Promise<void> {
  readPortmapConf(call.conf);
  const failure = call.caller.nft.apply(TABLE, baseOps(), { dryRun: true });
  if (failure) {
    throw new PolderError('cni-not-available', {
      what: `Ports cannot be mapped: ${failure.errors[0]?.message ?? failure.text}`,
    });
  }
}
