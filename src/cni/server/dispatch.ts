/** One request to its answer: what the shim prints and how it exits. Everything that can be wrong ends here. */

import type { KeyedLock } from '#cni/keyed-lock.ts';
import type { CallerNetns, Plugin, PluginCall, PluginHost } from '#cni/plugin.ts';
import { PolderError } from '#spec/errors.ts';
import { parseNetConf, peekVersion } from '#wire/cni/conf.ts';
import { toErrorObject } from '#wire/cni/error.ts';
import type { ShimCall } from '#wire/cni/frame.ts';
import { type CniRequest, readRequest } from '#wire/cni/request.ts';
import { encodeResult } from '#wire/cni/result.ts';
import { atLeast, isSpecVersion, NEWEST, type SpecVersion, versionReply } from '#wire/cni/version.ts';

export interface Answer {
  readonly exit: 0 | 1;
  readonly stdout: string;
}

export interface Dispatcher {
  readonly locks: KeyedLock;
  readonly host: PluginHost;
  /** Runs `use` with the caller's namespace. */
  readonly withCaller: <T>(request: CniRequest, use: (caller: CallerNetns) => Promise<T>) => Promise<T>;
  /** True once nobody waits for the answer any more. */
  readonly abandoned: () => boolean;
}

export async function dispatch(shim: ShimCall, d: Dispatcher): Promise<Answer> {
  try {
    const request = readRequest(shim.argv0, shim.env, shim.stdin);
    const plugin = await d.host.plugin(request.plugin);
    if (!plugin) throw unknownPlugin(request.plugin);
    if (request.command === 'VERSION') return ok(versionReply(peekVersion(request.stdin)));
    const conf = parseNetConf(request.stdin, request.plugin, request.command);
    const run = () => d.withCaller(request, (caller) => verb(plugin, { request, conf, caller, host: d.host }, d));
    return request.containerId === '' ? await run() : await d.locks.run(request.containerId, run);
  } catch (error) {
    return failed(error, shim, d);
  }
}

function unknownPlugin(name: string): PolderError {
  return new PolderError('cni-environment', { what: `The agent has no CNI plugin "${name}"` });
}

async function verb(plugin: Plugin, call: PluginCall, d: Dispatcher): Promise<Answer> {
  switch (call.request.command) {
    case 'ADD':
      return addOrUndo(plugin, call, d);
    case 'DEL':
      await plugin.del(call);
      return NOTHING;
    case 'CHECK':
      needVersion(call, '0.4.0');
      await plugin.check(call);
      return NOTHING;
    case 'STATUS':
      needVersion(call, '1.1.0');
      await plugin.status(call);
      return NOTHING;
    case 'GC':
      needVersion(call, '1.1.0');
      await plugin.gc(call);
      return NOTHING;
    case 'VERSION':
      return ok(versionReply(call.conf.cniVersion));
  }
}

/** At a runtime's deadline the shim is killed and its DEL may never come: an ADD that nobody hears of is undone. */
async function addOrUndo(plugin: Plugin, call: PluginCall, d: Dispatcher): Promise<Answer> {
  const result = await plugin.add(call);
  if (d.abandoned()) {
    await plugin.del(call);
    throw new PolderError('cni-io', { what: 'The caller went away before ADD was done; it was undone' });
  }
  return ok(encodeResult(result, call.conf.cniVersion));
}

/** A verb that came with a later version of the specification means nothing in a configuration of an earlier. */
function needVersion({ conf, request }: PluginCall, since: SpecVersion): void {
  if (atLeast(conf.cniVersion, since)) return;
  throw new PolderError('cni-version', {
    version: conf.cniVersion,
    plugin: `${conf.type} at ${request.command}`,
    supported: since === NEWEST ? since : `${since} and later`,
  });
}

const NOTHING: Answer = { exit: 0, stdout: '' };

function ok(value: object): Answer {
  return { exit: 0, stdout: `${JSON.stringify(value)}\n` };
}

function failed(error: unknown, shim: ShimCall, d: Dispatcher): Answer {
  const asked = peekVersion(shim.stdin);
  const object = toErrorObject(error, asked && isSpecVersion(asked) ? asked : NEWEST);
  const fields = {
    command: shim.env.CNI_COMMAND,
    container: shim.env.CNI_CONTAINERID,
    ifname: shim.env.CNI_IFNAME,
    ...object,
  };
  // What is not of the registry is a bug of ours: with its stack.
  if (error instanceof PolderError) d.host.log.warn(fields, 'cni call refused');
  else d.host.log.error({ ...fields, stack: error instanceof Error ? error.stack : undefined }, 'cni call failed');
  return { exit: 1, stdout: `${JSON.stringify(object)}\n` };
}
