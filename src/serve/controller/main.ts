/** `polder controller`: the controllers that a cluster needs, in one process on one set of watches. */

import type { Logger } from 'pino';
import type { ApiConfig } from '#feed/api-config.ts';
import { ApiClient } from '#feed/client.ts';
import { type Clock, systemClock } from '#feed/clock.ts';
import type { Prefix } from '#net/prefix.ts';
import { roleAggregation } from '#serve/controller/aggregation/aggregation.ts';
import type { Controller } from '#serve/controller/controller.ts';
import { cronJobController } from '#serve/controller/cronjob/cronjob.ts';
import { daemonSetController } from '#serve/controller/daemonset/daemonset.ts';
import { deploymentController } from '#serve/controller/deployment/deployment.ts';
import { disruptionController } from '#serve/controller/disruption/disruption.ts';
import { endpointsController } from '#serve/controller/endpoints/endpoints.ts';
import { endpointSliceController } from '#serve/controller/endpoints/slices.ts';
import { garbageCollector, USUAL } from '#serve/controller/gc/gc.ts';
import { podGarbageCollector } from '#serve/controller/gc/pod-gc.ts';
import type { Range } from '#serve/controller/ipam/allocate.ts';
import { nodeIpam } from '#serve/controller/ipam/ipam.ts';
import { type NodeCidrSize, rangeOf } from '#serve/controller/ipam/ranges.ts';
import { jobController } from '#serve/controller/job/job.ts';
import { type LifecycleOptions, nodeLifecycle } from '#serve/controller/lifecycle/lifecycle.ts';
import { type ExecutorDeps, execute } from '#serve/controller/loop/execute.ts';
import { Heartbeats } from '#serve/controller/loop/heartbeats.ts';
import { Notices } from '#serve/controller/loop/notices.ts';
import { Others } from '#serve/controller/loop/others.ts';
import { Runner } from '#serve/controller/loop/runner.ts';
import { Watches } from '#serve/controller/loop/watches.ts';
import { namespaceController } from '#serve/controller/namespaces/namespaces.ts';
import { defaultPools } from '#serve/controller/pools/default-pools.ts';
import { poolGarbage } from '#serve/controller/pools/garbage.ts';
import { poolsInUse } from '#serve/controller/pools/pools-in-use.ts';
import { replicaSetController } from '#serve/controller/replicaset/replicaset.ts';
import { scheduler } from '#serve/controller/scheduler/scheduler.ts';
import { statefulSetController } from '#serve/controller/statefulset/statefulset.ts';
import type { World } from '#serve/controller/world.ts';
import { CONFIG_MAP, parseConfig } from '#spec/config.ts';
import { CONFIG_MAPS, keyText, LEASES } from '#spec/k8s.ts';

export interface ControllerOptions extends LifecycleOptions {
  readonly api: ApiConfig;
  /** Networks that nodes get their parts of, at most one a family; empty: what the ConfigMap `polder-config` says. */
  readonly clusterCidrs: readonly Prefix[];
  readonly nodeCidrSize: NodeCidrSize;
  /** Age from which a pod on a node that does not exist is deleted, ms. */
  readonly orphanGraceMs: number;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** Keys of one controller that are worked on at once. */
const WORKERS = 4;
/** When kinds that no controller needs are looked for, ms from the start. */
const OTHERS_AFTER_MS = 3_000;
/** A reflector's first wait is no longer than this, ms. */
const FIRST_WAIT_MS = 100;

/** Runs until the signal ends it; waits for the API server, and goes on when it is away for a while. */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { log, clock = systemClock } = options;
  // Networks that cannot work stop the program now rather than when the first node comes.
  for (const cluster of options.clusterCidrs) rangeOf(cluster, options.nodeCidrSize);
  using client = new ApiClient(options.api, { userAgent: 'polder-controller', maxSockets: 32 });
  const watches = new Watches(client, clock, (source, error, waitMs) => {
    // The first failure in a row is news, the others are not.
    const level = waitMs <= FIRST_WAIT_MS ? 'warn' : 'debug';
    log[level]({ source, error: String(error), waitMs }, 'the API server does not answer; trying again');
  });
  const heartbeats = new Heartbeats(() => clock.now());
  const notices = new Notices(client, clock, (error) =>
    log.warn({ error: String(error) }, 'an event could not be written'),
  );
  const others = new Others({
    client,
    clock,
    covered: (resource) => watches.covers(resource),
    hear: (resource, change) => collector.hear(resource, change),
    again: () => collector.lookAgain(),
    onError: (source, error, waitMs) => log.debug({ source, error: String(error), waitMs }, 'trying again'),
  });
  const storeOf: ExecutorDeps['storeOf'] = (resource) => others.storeOf(resource) ?? watches.storeOf(resource);
  const world = worldOf(watches, heartbeats, clock);
  const deps = {
    client,
    storeOf,
    tell: (notice: Parameters<Notices['tell']>[0]) => {
      const { reason, message, about } = notice;
      log[notice.type === 'Warning' ? 'warn' : 'info']({ reason, object: `${about.kind}/${about.name}` }, message);
      notices.tell(notice);
    },
  };
  const runnerOf = (controller: Controller, its: World) =>
    new Runner(controller, {
      world: its,
      clock,
      signal,
      execute: (write) => execute(deps, write),
      onError: (name, key, error, againMs) =>
        log.warn({ controller: name, key, error: String(error), againMs }, 'failed; trying again'),
    });
  // It alone sees the kinds that nobody else knows.
  const whole: World = {
    get now() {
      return world.now;
    },
    of: (resource) => storeOf(resource)?.objects ?? new Map(),
    heard: world.heard,
  };
  const collector = runnerOf(
    garbageCollector(() => [...watches.known.filter((each) => !USUAL.includes(each)), ...others.resources]),
    whole,
  );
  const runners = [...controllersOf(options, watches).map((each) => runnerOf(each, world)), collector];
  watches.onChange((resource, change) => {
    heartbeats.hear(resource, change);
    for (const runner of runners) runner.hear(resource, change);
  });
  log.info('controller started');
  const all = runners.map((runner) => started(runner, watches, signal));
  await Promise.all([watches.run(signal), ...all, late(others, clock, signal)]);
  log.info('controller ended');
}

/** After what a cluster needs to be up. */
async function late(others: Others, clock: Clock, signal: AbortSignal): Promise<void> {
  await clock.sleep(OTHERS_AFTER_MS, signal);
  await others.run(signal);
}

/** Each controller starts as soon as the kinds that it needs are known whole. */
async function started(runner: Runner, watches: Watches, signal: AbortSignal): Promise<void> {
  await watches.whenSynced(runner.needs, signal);
  if (!signal.aborted) await runner.run(WORKERS);
}

function controllersOf(options: ControllerOptions, watches: Watches): Controller[] {
  const { api } = options;
  return [
    namespaceController(api.ca?.toString()),
    nodeIpam(() => rangesOf(options, watches)),
    defaultPools,
    poolGarbage(options.orphanGraceMs),
    poolsInUse,
    scheduler,
    daemonSetController,
    deploymentController,
    replicaSetController,
    statefulSetController,
    jobController,
    cronJobController,
    disruptionController,
    endpointSliceController,
    endpointsController,
    podGarbageCollector(options.orphanGraceMs),
    nodeLifecycle(options),
    roleAggregation,
  ];
}

/** As the options say, else as the cluster's settings do; undefined as long as neither is known. */
function rangesOf({ clusterCidrs, nodeCidrSize }: ControllerOptions, watches: Watches): Range[] | undefined {
  if (clusterCidrs.length > 0) return clusterCidrs.map((cluster) => rangeOf(cluster, nodeCidrSize));
  const settings = watches.storeOf(CONFIG_MAPS)?.get(keyText(CONFIG_MAP));
  const result = settings === undefined ? undefined : parseConfig(settings.data);
  return result?.kind === 'config'
    ? result.config.clusterCidrs.map((cluster) => rangeOf(cluster, nodeCidrSize))
    : undefined;
}

function worldOf(watches: Watches, heartbeats: Heartbeats, clock: Clock): World {
  return {
    get now() {
      return clock.now();
    },
    of: (resource) => watches.storeOf(resource)?.objects ?? new Map(),
    heard(node) {
      const at = heartbeats.heard(node);
      // While the API was away no kubelet could be heard: each has the whole time again from its return.
      const since = watches.connectedSince(LEASES);
      return at === undefined || since === undefined ? undefined : Math.max(at, since);
    },
  };
}
