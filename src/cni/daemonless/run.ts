/** One call of a plugin without an agent, by this process itself. */

import { loadPlugin } from '#cni/daemonless/load.ts';
import { shareNode } from '#cni/daemonless/lock.ts';
import { LeaseFolder } from '#cni/dhcp/folder.ts';
import { KeyedLock } from '#cni/keyed-lock.ts';
import type { Log } from '#cni/log.ts';
import type { PluginHost } from '#cni/plugin.ts';
import { NODE_CIDRS } from '#cni/pools/book.ts';
import { Callers } from '#cni/server/caller.ts';
import { type Answer, dispatch } from '#cni/server/dispatch.ts';
import { PolderError } from '#spec/errors.ts';
import { peekVersion } from '#wire/cni/conf.ts';
import { toErrorObject } from '#wire/cni/error.ts';
import type { ShimCall } from '#wire/cni/frame.ts';
import { versionReply } from '#wire/cni/version.ts';

export interface AloneOptions {
  /** Where the agent would listen: beside it is the lock that keeps it and us apart. */
  readonly socketPath: string;
  readonly log: Log;
}

/** Never throws: what goes wrong is in the answer. */
export async function runAlone(call: ShimCall, options: AloneOptions): Promise<Answer> {
  return besideNoAgent(call, options.socketPath, async () => {
    using callers = new Callers();
    return await dispatch(call, {
      locks: new KeyedLock(),
      host: hostOf(options),
      // The shim has become us: what ran it is our parent, in the same namespaces.
      withCaller: (request, use) => callers.of(process, request.netnsOverride, use),
      abandoned: () => false,
    });
  });
}

/**
 * The answer of `run`, with the node's lock shared meanwhile; or why it cannot be. VERSION touches nothing, and needs none.
 * Never throws.
 */
export async function besideNoAgent(call: ShimCall, socketPath: string, run: () => Promise<Answer>): Promise<Answer> {
  const { CNI_COMMAND: command } = call.env;
  try {
    using _ = command === 'VERSION' ? undefined : shareNode(socketPath, command);
    return await run();
  } catch (error) {
    const { cniVersion } = versionReply(peekVersion(call.stdin));
    return { exit: 1, stdout: `${JSON.stringify(toErrorObject(error, cniVersion))}\n` };
  }
}

/** What a node without an agent lends to plugins. */
export function hostOf({ socketPath, log }: AloneOptions): PluginHost {
  return {
    plugin: loadPlugin,
    get store(): never {
      throw new PolderError('cni-try-later', { what: 'The Polder agent is not running on this node' });
    },
    nodeNetwork: () => undefined,
    addresses: NODE_CIDRS,
    leases: { folder: new LeaseFolder(socketPath, log) },
    log,
  };
}
