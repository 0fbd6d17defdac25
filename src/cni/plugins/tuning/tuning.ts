/** The CNI plugin `tuning`: see README.md of this folder. */

import { failOn, needPrevResult } from '#cni/parts/chained.ts';
import { openPodIfThere } from '#cni/parts/pod-if-there.ts';
import { Undo } from '#cni/parts/undo.ts';
import type { Plugin, PluginCall, PodNetns } from '#cni/plugin.ts';
import { type Backup, loadBackup, removeBackup, removeStaleBackups, saveBackup } from '#cni/plugins/tuning/backup.ts';
import { type Attributes, dataDirAtDel, readTuningConf, type TuningConf } from '#cni/plugins/tuning/conf.ts';
import { attributeDifferences, needLink, presentOf, setAttributes } from '#cni/plugins/tuning/interface.ts';
import {
  allowedSysctls,
  presentSysctls,
  restoreSysctls,
  setSysctls,
  sysctlDifferences,
} from '#cni/plugins/tuning/sysctl.ts';
import type { CniResult } from '#wire/cni/result.ts';

export const tuning: Plugin = { type: 'tuning', add, del, check, status, gc };

async function add(call: PluginCall): Promise<CniResult> {
  const conf = readTuningConf(call);
  const prev = needPrevResult(call);
  const sysctls = allowedSysctls(call, conf.sysctl);
  const { ifname } = call.request;
  using pod = call.caller.openPod(call.request.netns);
  await using undo = new Undo(call.host.log);
  const attributes = hasAny(conf.attributes) ? presentOf(needLink(pod, ifname), conf.attributes) : {};
  const found = { attributes, sysctl: presentSysctls(pod, sysctls) };
  // Before anything is changed: killed at any moment after, DEL knows what it was.
  undo.defer(backUp(call, conf, found));
  undo.defer(() => restoreSysctls(pod, found.sysctl));
  setSysctls(pod, sysctls);
  undo.defer(() => restoreAttributes(call, pod, found));
  setAttributes(call, pod, ifname, conf.attributes);
  undo.keep();
  return retold(prev, ifname, conf.attributes);
}

/**
 * Beside what an earlier plugin of the chain has saved: that was there first. Returns what undoes it.
 * @throws PolderError cni-io
 */
function backUp(call: PluginCall, conf: TuningConf, found: Backup): () => void {
  if (!hasAny(found.attributes) && found.sysctl.length === 0) return () => {};
  const before = loadBackup(call, conf);
  const known = new Set(before.sysctl.map(({ path }) => path));
  saveBackup(call, conf, {
    attributes: { ...found.attributes, ...before.attributes },
    sysctl: [...before.sysctl, ...found.sysctl.filter(({ path }) => !known.has(path))],
  });
  const had = hasAny(before.attributes) || before.sysctl.length > 0;
  return () => (had ? saveBackup(call, conf, before) : removeBackup(call, conf));
}

function hasAny(attributes: Attributes): boolean {
  return Object.keys(attributes).length > 0;
}

/** The result with what is now otherwise; the MTU only where it says one. */
function retold(prev: CniResult, ifname: string, { mac, mtu }: Attributes): CniResult {
  const interfaces = prev.interfaces.map((one) =>
    one.name === ifname
      ? { ...one, ...(mac && { mac }), ...(mtu !== undefined && one.mtu !== undefined && { mtu }) }
      : one,
  );
  return { ...prev, interfaces };
}

/** The pod may be gone, with all that was changed in it. */
async function del(call: PluginCall): Promise<void> {
  const folder = dataDirAtDel(call);
  const backup = loadBackup(call, folder);
  using pod = openPodIfThere(call);
  if (pod) {
    restoreAttributes(call, pod, backup);
    restoreSysctls(pod, backup.sysctl);
  }
  removeBackup(call, folder);
}

/** One after another, so that what the kernel refuses does not keep the rest. */
function restoreAttributes(call: PluginCall, pod: PodNetns, { attributes }: Backup): void {
  const { ifname } = call.request;
  if (!pod.netlink.link(ifname)) return;
  for (const [key, value] of Object.entries(attributes)) {
    try {
      setAttributes(call, pod, ifname, { [key]: value });
    } catch (error) {
      call.host.log.warn({ ifname, key, error: String(error) }, 'an attribute could not be put back');
    }
  }
}

async function check(call: PluginCall): Promise<void> {
  const conf = readTuningConf(call);
  needPrevResult(call);
  const sysctls = allowedSysctls(call, conf.sysctl);
  const { ifname, netns } = call.request;
  using pod = call.caller.openPod(netns);
  const link = pod.netlink.link(ifname);
  const attributes = link
    ? attributeDifferences(link, conf.attributes)
    : hasAny(conf.attributes)
      ? [`${ifname} is missing in ${netns}`]
      : [];
  failOn([...attributes, ...sysctlDifferences(pod, sysctls)], call);
}

/** It needs nothing of the node; a configuration that could never be carried out is told here already. */
async function status(call: PluginCall): Promise<void> {
  allowedSysctls(call, readTuningConf(call).sysctl);
}

async function gc(call: PluginCall): Promise<void> {
  removeStaleBackups(call, dataDirAtDel(call));
}
