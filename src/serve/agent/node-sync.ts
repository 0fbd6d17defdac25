/** The agent's heart: what is known of the cluster and of this node, made into a goal, and the kernel brought there. */

import { askedKinds, takenKinds } from '#calc/routes/change-over.ts';
import { calcNodeState } from '#calc/routes/node-state.ts';
import { problem } from '#calc/routes/problems.ts';
import { familiesToEncrypt } from '#calc/routes/wireguard.ts';
import type { FastPathState, Features, NodeState, Outcome, Problem } from '#calc/state.ts';
import type { Stale } from '#feed/snapshot-file.ts';
import type { NetlinkEvent } from '#kernel/netlink/handle.ts';
import type { Family } from '#net/addr.ts';
import type { Plan } from '#plan/objects.ts';
import { want } from '#plan/want.ts';
import { type ClusterNode, deriveSynced, type LocalView, type Snapshot, type Synced } from '#spec/cluster.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import { concerns } from '#sync/events.ts';
import type { Kernel } from '#sync/kernel.ts';
import { type Goal, type PassReport, planNow, runPass } from '#sync/pass.ts';
import { readTold, readUnderlay, type UnderlayChoice } from '#sync/underlay.ts';

/** The cluster as last heard, and whether that is complete or was read from disk. */
export type ClusterView =
  | { readonly kind: 'complete'; readonly snapshot: Synced<Snapshot> }
  | { readonly kind: 'stale'; readonly snapshot: Stale<Snapshot> };

export interface NodeSyncOptions {
  readonly node: string;
  readonly kernel: Kernel;
  /** Name of the underlay's interface; absent: the one that bears the node's address. */
  readonly underlay?: string;
  /** This node's pods as the CNI server has recorded them; asked at the moment of each diff. */
  readonly endpoints: () => readonly LocalEndpoint[];
  /** This node's WireGuard public key of a family; made when it is first asked for. */
  readonly wireguardKey: (family: Family) => string;
  readonly has: (feature: keyof Features) => boolean;
}

/** What a goal was made of, beside the goal itself. */
interface Aim {
  readonly outcome: Outcome;
  readonly goal: Goal | undefined;
}

/** What says nothing about whether a node without a state can have one now. */
const UNRELATED: ReadonlySet<NetlinkEvent['event']> = new Set(['route', 'neighbour', 'rule']);

export class NodeSync {
  readonly #options: NodeSyncOptions;
  #view: ClusterView | undefined;
  #outcome: Outcome | undefined;
  #report: PassReport | undefined;
  #reached: NodeState | undefined;

  constructor(options: NodeSyncOptions) {
    this.#options = options;
  }

  /** A complete view is never followed by a stale one. */
  setView(view: ClusterView): void {
    if (view.kind === 'complete' || this.#view?.kind !== 'complete') this.#view = view;
  }

  get view(): ClusterView | undefined {
    return this.#view;
  }

  /** What the node is to look like, by the last calculation. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  get report(): PassReport | undefined {
    return this.#report;
  }

  /** The last state that the kernel was brought to: from the first one on, pods can be attached. */
  get reached(): NodeState | undefined {
    return this.#reached;
  }

  /** Undefined while there is nothing to aim at. */
  async pass(): Promise<PassReport | undefined> {
    if (this.#aim().goal === undefined) return undefined;
    let last: Aim['outcome'] | undefined;
    const report = await runPass(this.#options.kernel, () => {
      const { outcome, goal } = this.#aim();
      last = outcome;
      return goal ?? NOTHING;
    });
    this.#report = report;
    if (last?.kind === 'ready' && carriesPods(report)) this.#reached = last.state;
    return report;
  }

  /** What a pass would do now. */
  plan(): Plan {
    const { goal } = this.#aim();
    return goal ? planNow(this.#options.kernel, goal) : { ops: [], obstacles: [] };
  }

  /** The fast path with the pods as they are now; undefined if it is not wanted, or nothing is known yet. */
  shortCut(): FastPathState | undefined {
    const wanted = this.#view?.snapshot.config.fastPath === true && this.#reached !== undefined;
    const { outcome } = wanted ? this.#aim() : {};
    return outcome?.kind === 'ready' ? outcome.state.fastPath : undefined;
  }

  /** Whether the kernel's notification is worth a pass. */
  concerns(event: NetlinkEvent): boolean {
    if (this.#outcome?.kind !== 'ready') return !UNRELATED.has(event.event);
    const { state } = this.#outcome;
    return concerns(event, want(state), state.underlay.ifname);
  }

  #aim(): Aim {
    const aim = this.#calculate();
    this.#outcome = aim.outcome;
    return aim;
  }

  #keys(snapshot: Snapshot, self: ClusterNode, { wireguard }: Features): LocalView['wireguardKeys'] & object {
    const families = wireguard ? familiesToEncrypt(snapshot, self) : [];
    return Object.fromEntries(families.map((family) => [family, this.#options.wireguardKey(family)]));
  }

  #calculate(): Aim {
    if (!this.#view) return waiting('cluster-unknown', this.#options.node);
    const { kind, snapshot } = this.#view;
    const self = snapshot.nodes.find(({ name }) => name === this.#options.node);
    if (!self) return waiting('node-unknown', this.#options.node);
    const choice: UnderlayChoice = this.#options.underlay ? { ifname: this.#options.underlay } : { addr: self.addr };
    const underlay = readUnderlay(this.#options.kernel.netlink, choice);
    if (!underlay) return waiting('no-underlay', this.#options.node, { ifname: this.#options.underlay ?? self.addr });
    const { node, endpoints, has } = this.#options;
    const taken = takenKinds(askedKinds(snapshot, self), self);
    // Also where BGP is none of the node's: what BIRD has left stays until the agent's own stand beside it.
    const told = readTold(this.#options.kernel.netlink);
    const features = {
      ipip: !taken.has('ipip') || has('ipip'),
      wireguard: familiesToEncrypt(snapshot, self).length === 0 || has('wireguard'),
    };
    const local = { node, endpoints: endpoints(), wireguardKeys: this.#keys(snapshot, self, features) };
    const outcome = calcNodeState({ ...snapshot, local }, { ...underlay, told }, features);
    if (outcome.kind !== 'ready') return { outcome, goal: undefined };
    const wanted = want(outcome.state);
    if (kind === 'stale') return { outcome, goal: { kind: 'partial', wanted } };
    return { outcome, goal: { kind: 'complete', wanted: deriveSynced(snapshot, () => wanted) } };
  }
}

/** When the node is forgotten between two rounds: nothing more is done, and nothing undone. */
const NOTHING: Goal = {
  kind: 'partial',
  wanted: {
    links: [],
    addresses: [],
    neighbours: [],
    fdb: [],
    routes: [],
    rules: [],
    wireguard: [],
    sysctls: [],
    nft: { sets: [], chains: [] },
  },
};

/** Devices, their addresses and forwarding are there; that a peer cannot be reached is no reason to refuse pods. */
function carriesPods({ failures, left, obstacles }: PassReport): boolean {
  const undone = [...failures.map(({ op }) => op), ...left];
  const essential = undone.some(({ op }) => /^(link|addr|sysctl)\./.test(op));
  return !essential && !obstacles.some(({ kind, object }) => kind === 'taken' && object.startsWith('link '));
}

function waiting(code: Problem['code'], node: string, details: Record<string, string> = {}): Aim {
  return { outcome: { kind: 'waiting', problem: problem(code, node, details) }, goal: undefined };
}
