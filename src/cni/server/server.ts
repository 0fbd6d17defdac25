/** The agent's end of the CNI shim: a unix socket, a request a connection. */

import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pluginLoader } from '#cni/daemonless/load.ts';
import { takeNode } from '#cni/daemonless/lock.ts';
import { LeaseFolder } from '#cni/dhcp/folder.ts';
import { LeaseKeeper } from '#cni/dhcp/keeper.ts';
import { keyOf } from '#cni/ipam/record.ts';
import { EndpointStore } from '#cni/ipam/store.ts';
import { KeyedLock } from '#cni/keyed-lock.ts';
import type { Log } from '#cni/log.ts';
import type { CallerNetns, PluginHost } from '#cni/plugin.ts';
import { polder } from '#cni/plugins/polder/polder.ts';
import { type AddressBook, NODE_CIDRS } from '#cni/pools/book.ts';
import { Callers } from '#cni/server/caller.ts';
import type { Serve } from '#cni/server/connections.ts';
import { dispatch } from '#cni/server/dispatch.ts';
import { isInhabited } from '#cni/server/inhabited.ts';
import { isServed, NamedSocket } from '#cni/server/named-socket.ts';
import { reconcile } from '#cni/server/reconcile.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import { PolderError } from '#spec/errors.ts';
import type { NodeNetwork } from '#spec/node-network.ts';
import { decodeCall, encodeAnswer } from '#wire/cni/frame.ts';

export interface CniServerOptions {
  /** /run/polder/cni.sock */
  readonly socketPath: string;
  /** Where the journal lives; must survive the agent. */
  readonly stateDir: string;
  /** What the agent knows of its node; undefined until it knows: ADD is then refused with "try again later". */
  readonly nodeNetwork: () => NodeNetwork | undefined;
  /** `subnet.env` of the node, for the plugin flannel; absent: /run/flannel/subnet.env, as flanneld writes it. */
  readonly subnetFile?: string;
  /** For plugins that ask the API and have no kubeconfig of their own. */
  readonly kubeconfig?: string;
  /** Where pods' addresses come from, given the journal of endpoints; absent: the node's CIDRs. */
  readonly addresses?: (store: EndpointStore) => AddressBook;
  readonly log: Log;
  /** How long a freed address rests, milliseconds. */
  readonly coolDownMs?: number;
  /** Milliseconds of the wall clock. */
  readonly now?: () => number;
  /** Default: the kernel's. */
  readonly bootId?: string;
}

export interface CniServer extends AsyncDisposable {
  /** Pods of this node that are attached: what the calculators need of them. */
  endpoints(): readonly LocalEndpoint[];
  /** Calls back after each change of `endpoints()`. */
  onChange(listener: () => void): Disposable;
  /** What was attached and has its address still, whether or not its interface is there. */
  attachments(): readonly LocalEndpoint[];
  /** Whether a process is behind its interface. */
  isInhabited(endpoint: LocalEndpoint): boolean;
  /** As DEL, under the container's lock, if `isGone` then says so. @throws PolderError kernel-refused, cni-io; and as `isGone` */
  forget(endpoint: LocalEndpoint, isGone: () => Promise<boolean>): Promise<boolean>;
  /** Takes no more calls, ends those under way, gives the socket back. */
  close(): Promise<void>;
}

export const DEFAULT_COOL_DOWN_MS = 30_000;

/** @throws PolderError journal-damaged, cni-io (another agent serves the socket, the folder cannot be written). */
export async function startCniServer(options: CniServerOptions): Promise<CniServer> {
  mkdirSync(dirname(options.socketPath), { recursive: true, mode: 0o755 });
  // Whoever serves is not waited for; who has just started, or is ending, has the lock.
  await refuseIfServed(options.socketPath);
  using stack = new DisposableStack();
  stack.use(await takeNode(options.socketPath));
  // The lock's file may have been taken away from its holder.
  await refuseIfServed(options.socketPath);
  const store = new EndpointStore({
    path: join(options.stateDir, 'cni-endpoints.journal'),
    bootId: options.bootId ?? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    now: options.now ?? Date.now,
    coolDownMs: options.coolDownMs ?? DEFAULT_COOL_DOWN_MS,
  });
  const callers = new Callers();
  const locks = new KeyedLock();
  await reconcile(store, callers.own(), options.log);
  const folder = new LeaseFolder(options.socketPath, options.log);
  const keeper = new LeaseKeeper(folder, options.log);
  const host: PluginHost = {
    plugin: pluginLoader([polder]),
    store,
    addresses: options.addresses?.(store) ?? NODE_CIDRS,
    nodeNetwork: options.nodeNetwork,
    leases: { folder, keeper },
    log: options.log,
    ...(options.subnetFile !== undefined && { subnetFile: options.subnetFile }),
    ...(options.kubeconfig !== undefined && { kubeconfig: options.kubeconfig }),
  };
  const socket = new NamedSocket(options.socketPath, serveCalls(host, callers, locks), options.log);
  const held = stack.move();
  const close = async () => {
    await socket.close();
    await keeper[Symbol.asyncDispose]();
    callers[Symbol.dispose]();
    store[Symbol.dispose]();
    held.dispose();
  };
  return {
    endpoints: () => store.endpoints(),
    onChange: (listener) => store.onChange(listener),
    attachments: () => store.all().filter((endpoint) => store.isUp(keyOf(endpoint))),
    isInhabited: (endpoint) => isInhabited(callers.own(), endpoint.hostIfname),
    forget: (endpoint, isGone) => locks.run(endpoint.containerId, () => forget(store, callers.own(), endpoint, isGone)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function forget(
  store: EndpointStore,
  { remover }: CallerNetns,
  endpoint: LocalEndpoint,
  isGone: () => Promise<boolean>,
): Promise<boolean> {
  const key = keyOf(endpoint);
  if (store.find(key) !== endpoint || !(await isGone())) return false;
  store.hide(key);
  await remover.remove(endpoint.hostIfname);
  store.free(key);
  return true;
}

/** Two agents with one journal would give addresses twice. A socket that nobody serves is left from one that was killed. */
async function refuseIfServed(path: string): Promise<void> {
  if (await isServed(path)) throw new PolderError('cni-io', { what: `Another agent serves ${path} already` });
}

/** What answers requests: the same with an agent and without. */
export function serveCalls(host: PluginHost, callers: Callers, locks = new KeyedLock()): Serve {
  return async (frame, peer) => {
    const answer = await dispatch(decodeCall(frame), {
      locks,
      host,
      withCaller: (request, use) => callers.of(peer, request.netnsOverride, use),
      abandoned: () => peer.gone(),
    });
    return encodeAnswer(answer.exit, answer.stdout);
  };
}
