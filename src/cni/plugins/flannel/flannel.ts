/** The CNI plugin `flannel`: see README.md of this folder. */

import { readFile } from 'node:fs/promises';
import { type Delegate, delegateAdd, delegateVerb } from '#cni/delegate.ts';
import { needFreeNames } from '#cni/parts/free-names.ts';
import { tryEach } from '#cni/parts/try-each.ts';
import { Undo } from '#cni/parts/undo.ts';
import type { Plugin, PluginCall } from '#cni/plugin.ts';
import { delegateConf, delegateOf, rangesIpam, staticIpam } from '#cni/plugins/flannel/conf.ts';
import * as pool from '#cni/plugins/flannel/pool.ts';
import { forget, forgetAllBut, save, saved, savedKinds } from '#cni/plugins/flannel/saved.ts';
import { PolderError } from '#spec/errors.ts';
import { type JsonObject, optString } from '#wire/cni/json.ts';
import { type CniResult, encodeResult } from '#wire/cni/result.ts';
import { parseSubnetEnv, type SubnetEnv } from '#wire/cni/subnet-env.ts';

const DEFAULT_FILE = '/run/flannel/subnet.env';

export const flannel: Plugin = { type: 'flannel', add, del, check, status, gc };

async function add(call: PluginCall): Promise<CniResult> {
  const env = await subnetEnv(call);
  const shared = pool.agentOwns(call, env);
  // A wrong configuration takes no address.
  delegateOf(call.conf);
  needFreeNames(call, [call.request.ifname]);
  await using undo = new Undo(call.host.log);
  if (shared) undo.defer(() => pool.giveBack(call));
  const ipam = shared ? staticIpam(call.conf, env, pool.take(call, env)) : rangesIpam(call.conf, env);
  const conf = delegateConf(call.conf, env, ipam);
  await save(call, conf);
  undo.defer(() => forget(call));
  undo.defer(() => delegateVerb(call, delegate(conf), 'DEL'));
  const result = await delegateAdd(call, delegate(conf));
  if (shared) pool.keep(call);
  undo.keep();
  return result;
}

/** Without a file there was no ADD, or its DEL is done. */
async function del(call: PluginCall): Promise<void> {
  const conf = await saved(call);
  if (conf) await delegateVerb(call, delegate(withResult(call, conf)), 'DEL');
  await forget(call);
  pool.giveBack(call);
}

/** @throws PolderError cni-container-unknown if there was no ADD; what the delegate finds. */
async function check(call: PluginCall): Promise<void> {
  const { containerId, ifname } = call.request;
  const conf = await saved(call);
  if (!conf)
    throw new PolderError('cni-container-unknown', { container: containerId, ifname, network: call.conf.name });
  await delegateVerb(call, delegate(withResult(call, conf)), 'CHECK');
}

/** @throws PolderError cni-not-available while flanneld has not written its file. */
async function status(call: PluginCall): Promise<void> {
  const env = await subnetEnv(call).catch((error: unknown) => {
    const what = error instanceof Error ? error.message : String(error);
    throw new PolderError('cni-not-available', { what }, { cause: error });
  });
  await delegateVerb(call, delegate(delegateConf(call.conf, env, rangesIpam(call.conf, env))), 'STATUS');
}

async function gc(call: PluginCall): Promise<void> {
  const attachments = call.conf.validAttachments ?? [];
  const named = { 'cni.dev/valid-attachments': attachments, 'cni.dev/attachments': attachments };
  await tryEach(await garbageConfs(call), (conf) => delegateVerb(call, delegate({ ...conf, ...named }), 'GC'));
  const valid = new Set(attachments.map((a) => `${a.containerID}/${a.ifname}`));
  await forgetAllBut(call, valid);
  pool.giveBackAllBut(call, valid);
}

/**
 * As an ADD would have it now. While the node has no subnet (flanneld writes its file anew after each start), as the ADDs
 * before had it: whom the delegate has to clean up after, and where, is in what they saved.
 */
async function garbageConfs(call: PluginCall): Promise<readonly JsonObject[]> {
  try {
    const env = await subnetEnv(call);
    return [delegateConf(call.conf, env, rangesIpam(call.conf, env))];
  } catch (error) {
    const noSubnet = error instanceof PolderError && (error.code === 'cni-try-later' || error.code === 'file-invalid');
    if (!noSubnet) throw error;
    return await savedKinds(call);
  }
}

/** @throws PolderError cni-try-later (CNI code 11) while there is no file; file-invalid */
async function subnetEnv(call: PluginCall): Promise<SubnetEnv> {
  const named = optString(call.conf.raw, 'subnetFile', '');
  const file = named ?? call.host.subnetFile ?? DEFAULT_FILE;
  try {
    return parseSubnetEnv(await readFile(named === undefined ? file : call.caller.seen(file), 'utf8'), file);
  } catch (error) {
    if (error instanceof PolderError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    const hint = file === call.host.subnetFile ? ' (the agent writes it where the profile is flannel-*)' : '';
    const what = `This node has no subnet for Flannel: ${why}${hint}`;
    throw new PolderError('cni-try-later', { what }, { cause: error });
  }
}

function delegate(conf: JsonObject): Delegate {
  return { type: String(conf.type), conf };
}

/** What the runtime says now goes before what was saved: the result, and the capabilities' values. */
function withResult({ conf }: PluginCall, own: JsonObject): JsonObject {
  return {
    ...own,
    ...(Object.keys(conf.runtimeConfig).length > 0 && { runtimeConfig: conf.runtimeConfig }),
    ...(conf.prevResult && { prevResult: encodeResult(conf.prevResult, conf.cniVersion) }),
  };
}
