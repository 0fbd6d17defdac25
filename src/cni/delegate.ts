/**
 * How a plugin calls another: an IPAM plugin, or the one that a meta plugin wraps (CNI spec 1.1.0, section 4). One of
 * ours runs in this process; any other is looked for along CNI_PATH and executed in the caller's network namespace,
 * with the environment of this call.
 */

import type { Plugin, PluginCall } from '#cni/plugin.ts';
import { findPlugin, runPlugin } from '#cni/runtime/exec.ts';
import { PolderError } from '#spec/errors.ts';
import { formatArgs } from '#wire/cni/args.ts';
import { type NetConf, readNetConf } from '#wire/cni/conf.ts';
import { type JsonObject, parseObject } from '#wire/cni/json.ts';
import type { CniRequest, Command } from '#wire/cni/request.ts';
import { type CniResult, decodeResult } from '#wire/cni/result.ts';

/** Whom to call, and with what. */
export interface Delegate {
  /** `type`: the name of the executable. */
  readonly type: string;
  /** What it reads from standard input; absent: what this plugin read (as IPAM plugins are called). */
  readonly conf?: JsonObject;
  /** Other CNI_IFNAME, CNI_ARGS, CNI_CONTAINERID than this call's. */
  readonly request?: Partial<Pick<CniRequest, 'ifname' | 'args' | 'containerId'>>;
}

/** A plugin that never ends is ended before the runtime's own deadline. */
const TIMEOUT_MS = 100_000;

/** @throws PolderError cni-plugin-missing, cni-plugin-failed, or what one of ours throws. */
export async function delegateAdd(call: PluginCall, to: Delegate): Promise<CniResult> {
  const own = await ours(call, to, 'ADD');
  if (own) return own.plugin.add(own.call);
  const stdout = await execute(call, to, 'ADD');
  try {
    return decodeResult(parseObject(stdout, `the result of ${to.type}`), 'result.');
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new PolderError('cni-plugin-failed', { plugin: to.type, command: 'ADD', what }, { cause: error });
  }
}

/** @throws as `delegateAdd`. */
export async function delegateVerb(call: PluginCall, to: Delegate, command: Exclude<Command, 'ADD' | 'VERSION'>) {
  const own = await ours(call, to, command);
  if (!own) await execute(call, to, command);
  else if (command === 'DEL') await own.plugin.del(own.call);
  else if (command === 'CHECK') await own.plugin.check(own.call);
  else if (command === 'STATUS') await own.plugin.status(own.call);
  else await own.plugin.gc(own.call);
}

interface Own {
  readonly plugin: Plugin;
  readonly call: PluginCall;
}

async function ours(call: PluginCall, to: Delegate, command: Command): Promise<Own | undefined> {
  const plugin = await call.host.plugin(to.type);
  if (!plugin) return undefined;
  const request: CniRequest = { ...call.request, ...to.request, plugin: to.type, command };
  const conf: NetConf = to.conf ? readNetConf(to.conf, to.type, command) : call.conf;
  return { plugin, call: { ...call, request, conf, delegatedBy: lineOf(call, to) } };
}

/** A plugin that is named as its own IPAM plugin would call itself for ever. */
const DEEPEST = 8;

/** @throws PolderError cni-config */
function lineOf({ delegatedBy = [], request }: PluginCall, { type, conf }: Delegate): readonly string[] {
  const line = [...delegatedBy, request.plugin];
  if (line.length <= DEEPEST && (conf !== undefined || !line.includes(type))) return line;
  throw new PolderError('cni-config', { what: `${[...line, type].join(' -> ')}: a plugin would delegate to itself` });
}

async function execute(call: PluginCall, to: Delegate, command: Command): Promise<string> {
  if (to.type === '' || to.type.includes('/')) {
    throw new PolderError('cni-config', { what: `"${to.type}" is not the name of a plugin` });
  }
  const dirs = call.request.path.map((dir) => call.caller.seen(dir));
  return runPlugin({
    path: await findPlugin(to.type, dirs),
    plugin: to.type,
    env: environment(call, { ...call.request, ...to.request }, command),
    stdin: JSON.stringify(to.conf ?? call.conf.raw),
    timeoutMs: TIMEOUT_MS,
    within: (fn) => call.caller.within(fn),
  });
}

function environment(call: PluginCall, request: CniRequest, command: Command): Record<string, string> {
  return {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    CNI_COMMAND: command,
    CNI_CONTAINERID: request.containerId,
    CNI_NETNS: request.netns === '' ? '' : call.caller.seen(request.netns),
    CNI_IFNAME: request.ifname,
    CNI_ARGS: formatArgs(request.args),
    CNI_PATH: request.path.map((dir) => call.caller.seen(dir)).join(':'),
    ...(request.netnsOverride && { CNI_NETNS_OVERRIDE: '1' }),
  };
}
