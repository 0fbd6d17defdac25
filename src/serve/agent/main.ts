/** `polder agent`: routes of one node, and the CNI server of its pods. */

import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Logger, pino } from 'pino';
import { nodeNetworkOf } from '#calc/routes/node-network.ts';
import { LeakCollector } from '#cni/server/leaks.ts';
import { type CniServer, startCniServer } from '#cni/server/server.ts';
import { ApiClient } from '#feed/client.ts';
import { systemClock } from '#feed/clock.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import type { ReflectorOptions } from '#feed/reflector.ts';
import { secretSource } from '#feed/secrets.ts';
import { type SharedReflectors, sharedReflectors } from '#feed/shared.ts';
import { SnapshotFeed, snapshotSources } from '#feed/snapshot.ts';
import { loadSnapshot, saveSnapshot } from '#feed/snapshot-file.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { watchNetlink } from '#kernel/netlink/watch.ts';
import { openNft } from '#kernel/nft/nft.ts';
import { openWireguard } from '#kernel/wireguard/wireguard.ts';
import { printPlanOp } from '#plan/print.ts';
import { AnnotationPublisher } from '#serve/agent/annotation-publisher.ts';
import { answersOf } from '#serve/agent/answers.ts';
import { BgpSpeaker, SECRETS_NAMESPACE } from '#serve/agent/bgp.ts';
import type { Counts } from '#serve/agent/metrics.ts';
import { NodeAddresses } from '#serve/agent/node-addresses.ts';
import { NodeKeys } from '#serve/agent/node-keys.ts';
import { NodeSync } from '#serve/agent/node-sync.ts';
import { Publisher } from '#serve/agent/publisher.ts';
import { heard, toSay } from '#serve/agent/sayings.ts';
import { serveStatus } from '#serve/agent/status.ts';
import { SubnetFile } from '#serve/agent/subnet-file.ts';
import type { Profile, Snapshot } from '#spec/cluster.ts';
import { FastPathDriver } from '#sync/fast-path.ts';
import { kernelHas } from '#sync/features.ts';
import { IpipDriver } from '#sync/ipip.ts';
import { kernelSysctls } from '#sync/kernel.ts';
import { SyncLoop } from '#sync/loop.ts';
import type { PassReport } from '#sync/pass.ts';

/** Name of BIRD's control socket, beside the status socket. */
const BIRD_SOCKET = 'bird.ctl';

export interface AgentOptions {
  /** Name of this node's Node object. */
  readonly node: string;
  readonly kubeconfig: string;
  /** Folder that survives the agent: the CNI journal and the last snapshot. */
  readonly stateDir: string;
  readonly cniSocket: string;
  readonly statusSocket: string;
  /** Interface towards the other nodes; absent: the one that bears the node's address. */
  readonly underlay?: string;
  /** Between passes when nothing happens, seconds. Default 60. */
  readonly resyncSeconds?: number;
  /** How long a pod is missed that went without DEL before its address is taken back, seconds. Default 60. */
  readonly leakGraceSeconds?: number;
}

/**
 * Runs until the signal ends it, in the network namespace that the process is in. What it programmed stays.
 * @throws PolderError when it cannot start: kubeconfig, journal or sockets.
 */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const log = pino({ name: 'agent', base: { node: options.node } }, pino.destination({ dest: 2, sync: true }));
  mkdirSync(options.stateDir, { recursive: true });
  mkdirSync(dirname(options.statusSocket), { recursive: true });
  await using stack = new AsyncDisposableStack();
  const client = stack.use(new ApiClient(loadKubeconfig(options.kubeconfig)));
  const netlink = stack.use(openNetlink());
  const subnetFile = join(dirname(options.cniSocket), 'subnet.env');
  const onError = (source: string, error: unknown, waitMs: number) =>
    log.warn({ source, error: String(error), waitMs }, 'the API does not answer');
  const shared = sharedReflectors(client, { onError });
  let addresses: NodeAddresses | undefined;
  let leaks: LeakCollector | undefined;
  const cni = stack.use(
    await startCniServer({
      socketPath: options.cniSocket,
      stateDir: options.stateDir,
      nodeNetwork: () => sync.reached && nodeNetworkOf(sync.reached),
      addresses: (store) => {
        addresses = new NodeAddresses({
          node: options.node,
          stateDir: options.stateDir,
          client,
          shared,
          store,
          log,
          profile: () => sync.view && effectiveProfile(sync.view.snapshot),
          onError,
          doubt: (addrs) =>
            void leaks
              ?.doubt(addrs)
              .catch((error) => log.warn({ error: String(error), addrs }, 'cannot tell whose they are')),
        });
        return addresses.book;
      },
      subnetFile,
      kubeconfig: options.kubeconfig,
      log,
    }),
  );
  const { node, underlay, leakGraceSeconds } = options;
  if (addresses !== undefined) leaks = collectorOf(cni, addresses, log, leakGraceSeconds);
  const keys = new NodeKeys(options.stateDir);
  const kernel = {
    netlink,
    nft: stack.use(openNft()),
    sysctl: kernelSysctls(),
    wireguard: stack.use(openWireguard((key) => keys.privateKey(key))),
  };
  const endpoints = () => cni.endpoints();
  const sync: NodeSync = new NodeSync({
    ...{ node, kernel, endpoints, has: kernelHas, wireguardKey: (family) => keys.publicKey(family) },
    ...(underlay === undefined ? {} : { underlay }),
  });
  const counts: Counts = { passes: 0, operations: 0, failures: 0, errors: 0 };
  const publisher = new Publisher(client, node, log);
  const annotations = new AnnotationPublisher(client, node, log);
  const ipip = new IpipDriver(netlink);
  const bgp: BgpSpeaker = new BgpSpeaker({
    ...{ stateDir: options.stateDir, netlink, log },
    socket: join(dirname(options.statusSocket), BIRD_SOCKET),
    secrets: secretSource(client, SECRETS_NAMESPACE),
    onChange: () => loop.trigger(),
  });
  const subnet = new SubnetFile(subnetFile);
  const keepSubnet = (...now: Parameters<SubnetFile['keep']>) => {
    try {
      subnet.keep(...now);
    } catch (error) {
      log.warn({ error: String(error), file: subnetFile }, 'cannot write the subnet of this node');
    }
  };
  const driver = stack.use(new FastPathDriver(netlink));
  const quicken = fastPath(driver, sync, log);
  stack.use(cni.onChange(soon(quicken)));
  const loop: SyncLoop = new SyncLoop({
    pass: () => {
      counts.passes++;
      return sync.pass();
    },
    onReport: (report) => {
      account(counts, report, log);
      encapsulate(ipip, sync, log);
      quicken();
      say(annotations, sync, node, ipip);
      bgp.follow(sync);
      if (report.done.some(({ op }) => op === 'link.add')) bgp.renew();
      if (sync.reached && sync.view) keepSubnet(sync.reached, sync.view.snapshot.config);
      if (sync.reached && sync.view?.kind === 'complete' && bgp.settled) publisher.publish(signal);
    },
    onError: (error) => {
      counts.errors++;
      log.error({ error: String(error) }, 'a pass ended early');
    },
    ...(options.resyncSeconds === undefined ? {} : { resyncMs: options.resyncSeconds * 1000 }),
  });
  stack.use(
    watchNetlink(['link', 'address', 'route', 'neighbour', 'rule'], (event) => sync.concerns(event) && loop.trigger()),
  );
  const feed = followCluster(options, {
    client,
    shared,
    onError,
    sync,
    loop,
    publisher,
    changed: () => addresses?.trigger(),
    log,
  });
  const surroundings = {
    connected: () => feed.connected,
    clusterProblems: () => feed.problems,
    fastPath: driver,
    ipip,
    node,
    bgp,
    rotate: () => {
      const count = keys.rotate();
      loop.trigger();
      return count;
    },
    wireguard: () => sync.reached?.wireguard.flatMap(({ device }) => kernel.wireguard.device(device) ?? []) ?? [],
    counts,
  };
  const status = await serveStatus(options.statusSocket, answersOf(sync, surroundings));
  stack.defer(() => void status.close().closeAllConnections());
  log.info({ pid: process.pid }, 'agent started');
  await Promise.all([loop.run(signal), feed.run(signal), addresses?.run(signal), leaks?.run(signal), bgp.run(signal)]);
  log.info('agent ends; what it programmed stays');
}

function collectorOf(
  cni: CniServer,
  { pods }: NodeAddresses,
  log: Logger,
  graceSeconds: number | undefined,
): LeakCollector {
  const { attachments, isInhabited, forget } = cni;
  const grace = graceSeconds === undefined ? {} : { graceMs: graceSeconds * 1000 };
  return new LeakCollector({ pods, attachments, isInhabited, forget, clock: systemClock, log, ...grace });
}

/** Brings the fast path to the present state, and says when that becomes impossible. */
function fastPath(driver: FastPathDriver, sync: NodeSync, log: Logger): () => void {
  return () => {
    const before = driver.trouble;
    driver.apply(sync.shortCut());
    const { trouble } = driver;
    if (trouble !== undefined && trouble !== before) log.warn({ trouble }, 'no fast path: packets go the ordinary way');
  };
}

/** With encryption where it is the FelixConfiguration that wants it: devices need addresses all the same. */
function effectiveProfile({ config, felix }: Pick<Snapshot, 'config' | 'felix'>): Profile {
  const { enabled } = felix.wireguard;
  return enabled[4] || enabled[6] ? { ...config.profile, encryption: 'wireguard' } : config.profile;
}

/** Brings what stands in for IPIP to the state that was reached. */
function encapsulate(driver: IpipDriver, { reached }: NodeSync, log: Logger): void {
  const before = driver.trouble;
  if (reached) driver.apply(reached);
  const { trouble } = driver;
  if (trouble !== undefined && trouble !== before) log.error({ trouble }, 'nothing stands in for IPIP');
}

/** What the kernel has by now, once the whole cluster is known. */
function say(publisher: AnnotationPublisher, { view, reached }: NodeSync, node: string, ipip: IpipDriver): void {
  const self = view?.snapshot.nodes.find(({ name }) => name === node);
  if (view?.kind !== 'complete' || !self || !reached) return;
  publisher.publish(heard(self), toSay(reached, { ipip: ipip.trouble !== undefined }));
}

/** Once for all calls of some milliseconds: not in the way of those who call. */
function soon(act: () => void): () => void {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    const due = () => {
      waits = false;
      act();
    };
    setTimeout(due, 20).unref();
  };
}

interface Parts {
  readonly client: ApiClient;
  readonly shared: SharedReflectors;
  readonly onError: NonNullable<ReflectorOptions['onError']>;
  readonly sync: NodeSync;
  readonly loop: SyncLoop;
  readonly publisher: Publisher;
  /** Called after each new snapshot. */
  readonly changed: () => void;
  readonly log: Logger;
}

/** The saved snapshot at once, so that a node comes up without the API; then the API's, which may also delete. */
function followCluster({ node, stateDir }: AgentOptions, parts: Parts): SnapshotFeed {
  const { client, shared, onError, sync, loop, publisher, changed, log } = parts;
  const file = join(stateDir, 'snapshot.json');
  const saved = loadSnapshot(file, { node, endpoints: [] });
  if (saved) sync.setView({ kind: 'stale', snapshot: saved });
  const feed = new SnapshotFeed(snapshotSources(client, shared), {
    node,
    // Asked of the CNI server at each diff instead: a pod that comes or goes is no reason for a pass of its own.
    endpoints: () => [],
    onError,
    onProblems: (problems) => log.warn({ problems }, 'the cluster has objects that cannot be used'),
  });
  feed.onSnapshot((snapshot) => {
    sync.setView({ kind: 'complete', snapshot });
    changed();
    if (!snapshot.nodes.some(({ name }) => name === node)) publisher.forget();
    loop.trigger();
    try {
      saveSnapshot(file, feed.objects());
    } catch (error) {
      log.warn({ error: String(error), file }, 'the snapshot cannot be saved: a restart will need the API');
    }
  });
  return feed;
}

function account(counts: Counts, { done, failures, left, obstacles }: PassReport, log: Logger): void {
  counts.operations += done.length;
  counts.failures += failures.length;
  if (done.length > 0) log.info({ done: done.map(printPlanOp) }, 'mended the kernel');
  for (const { op, reason } of failures) log.error({ command: printPlanOp(op), reason }, 'the kernel refused');
  if (left.length > 0) log.warn({ left: left.map(printPlanOp) }, 'the kernel does not stay as it was put');
  for (const { sentence } of obstacles) log.warn(sentence);
}
