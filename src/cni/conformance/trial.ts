/**
 * The surroundings of one case: a node, whatever is outside of it, and pods, each a network namespace without a name,
 * and a folder for the plugins' files. Nothing of it is in the machine's own namespace; all of it goes when its
 * descriptors are closed, also if this process is killed.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Answer,
  answerOf,
  hostAddress,
  isSandboxed,
  objects,
  printed,
  succeeded,
} from '#cni/conformance/answer.ts';
import type { Descriptor, Program } from '#cni/conformance/descriptor.ts';
import { isExecutable, must, PATH, run, tied } from '#cni/conformance/exec.ts';
import { fill, type Values } from '#cni/conformance/fill.ts';
import { connectNode, pathOf, throwAwayNetns, UPLINK } from '#cni/conformance/ground.ts';
import { NotHere } from '#cni/conformance/outcome.ts';
import { read } from '#cni/conformance/read.ts';
import type { Random } from '#cni/conformance/seeded.ts';
import { difference, fileSnapshot, type Snapshot, snapshot, sysctlSnapshot } from '#cni/conformance/snapshot.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import type { JsonObject } from '#wire/cni/json.ts';

export type Verb = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC' | 'VERSION';

/** Executables by plugin type, and what they are to be given. */
export interface Plugins {
  /** Type to path. */
  readonly paths: ReadonlyMap<string, string>;
  /** CNI_PATH */
  readonly cniPath: string;
  /** More environment, for every call. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Pod {
  readonly n: number;
  readonly netns: Netns;
  /** CNI_NETNS */
  readonly path: string;
  readonly id: string;
  /** CNI_IFNAME */
  readonly ifname: string;
  /** What the plugins before ours answered; undefined if there are none, or they have not been run. */
  prev?: JsonObject;
  /** What ours answered. */
  result?: JsonObject;
}

export interface CallOptions {
  /** Keys that replace those of the configuration; undefined takes one away. */
  readonly conf?: Readonly<Record<string, unknown>>;
  /** Variables that replace CNI_…; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** In place of the configuration, or made of it. */
  readonly stdin?: string | ((conf: JsonObject) => string);
  /** In place of the prevResult that the pod has; null for none. */
  readonly prev?: JsonObject | null;
  readonly killAfterMs?: number;
}

export interface TrialOptions {
  readonly plugins: Plugins;
  readonly subject: Descriptor;
  /** The main plugin that goes before, if the subject needs one. */
  readonly beneath: Descriptor | undefined;
  readonly version: string;
  readonly supported: readonly string[];
  readonly random: Random;
  /** At how many moments a call is killed. */
  readonly kills: number;
  /** Folder in which the trial makes its own. */
  readonly tmp: string;
}

/** How long what an answered call has begun may take to be seen in the kernel, milliseconds. */
const SETTLE_MS = 1_500;

/** How long a program may take to be ready, milliseconds. */
const READY_MS = 30_000;
const LOOK_MS = 10;

const TRIES = 4;

let trials = 0;

/** Returns when it holds, or the time is over: what needs it will say so. */
async function until(holds: () => boolean, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds() && performance.now() < end) await pause(LOOK_MS);
}

export class Trial implements Disposable {
  readonly node = throwAwayNetns();
  readonly outside = throwAwayNetns();
  readonly dir: string;
  readonly o: TrialOptions;
  readonly #pods: Pod[] = [];
  readonly #tag: string;
  readonly #programs: ChildProcess[] = [];
  /** Keys that a variant puts over those of the descriptor. */
  extra: JsonObject = {};
  /** Name of the network. A server behind the plugins sees all trials at once: each has a network of its own. */
  readonly network: string;

  constructor(options: TrialOptions) {
    this.o = options;
    this.dir = mkdtempSync(join(options.tmp, 't-'));
    this.#tag = `${process.pid}-${++trials}`;
    this.network = `conform-${this.#tag}`;
  }

  get subject(): Descriptor {
    return this.o.subject;
  }

  get ifname(): string {
    return this.subject.ifname ?? 'eth0';
  }

  async open(): Promise<this> {
    await connectNode(this.node, this.outside);
    // Addresses are used at once here; the uplink has no neighbour that could have the same.
    await must(this.node, [
      'sysctl',
      '-qw',
      'net.ipv6.conf.default.accept_dad=0',
      'net.ipv6.conf.default.dad_transmits=0',
    ]);
    const setup = [...(this.o.beneath?.setup ?? []), ...(this.subject.setup ?? [])];
    for (const argv of setup) await must(this.node, fill(argv, this.values()));
    for (const program of this.subject.programs ?? []) await this.#start(program);
    return this;
  }

  /** @throws NotHere if there is no such program. */
  async #start({ in: where, run, ready }: Program): Promise<void> {
    const bin = this.o.plugins.paths.get(this.subject.type) ?? '';
    const [program = '', ...argv] = fill(run, { ...this.values(), bin });
    // What ties the program to this process starts in any case.
    if (program.includes('/') && !isExecutable(program)) throw new NotHere(`${program} cannot be started`);
    const [file, args] = tied(program, argv);
    const child = inNetns(this[where], () => spawn(file, args, { env: { PATH }, stdio: 'ignore' }));
    const started = once(child, 'spawn').then(
      () => true,
      () => false,
    );
    if (!(await started)) throw new NotHere(`${program} cannot be started`);
    this.#programs.push(child);
    if (ready !== undefined)
      await until(() => child.exitCode !== null || existsSync(fill(ready, this.values())), READY_MS);
  }

  [Symbol.dispose](): void {
    for (const program of this.#programs) program.kill('SIGKILL');
    for (const pod of this.#pods) pod.netns.close();
    this.node.close();
    this.outside.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async pod(ifname = this.ifname): Promise<Pod> {
    const netns = throwAwayNetns();
    const n = this.#pods.length + 1;
    return this.#known({ n, netns, path: pathOf(netns), id: `conform-${this.#tag}-${n}`, ifname });
  }

  /** The same container with another interface. */
  async another({ netns, path, id }: Pod, ifname: string): Promise<Pod> {
    return this.#known({ n: this.#pods.length + 1, netns, path, id, ifname });
  }

  async #known(pod: Pod): Promise<Pod> {
    this.#pods.push(pod);
    for (const argv of this.subject.perPod ?? []) await must(this.node, fill(argv, this.values(pod)));
    return pod;
  }

  async pods(count: number): Promise<Pod[]> {
    return Promise.all(Array.from({ length: count }, () => this.pod()));
  }

  /** A pod after ADD of the whole chain. @throws Unmet */
  async added(options: CallOptions = {}): Promise<Pod> {
    const pod = await this.pod();
    await this.add(pod, options);
    return pod;
  }

  /** The plugins before ours, once. It is no fault of ours if they fail. */
  async beneath(pod: Pod, conf: JsonObject = {}): Promise<void> {
    if (!this.o.beneath || pod.prev) return;
    const answer = await this.#run(this.o.beneath, 'ADD', pod, { conf });
    if (answer.exit !== 0 || !answer.json)
      throw new NotHere(`${this.o.beneath.type}, which goes before, fails: ${answer.stdout}`);
    pod.prev = answer.json;
  }

  /** ADD of the whole chain, which must succeed. */
  async add(pod: Pod, options: CallOptions = {}): Promise<JsonObject> {
    const result = printed(await this.call('ADD', pod, options));
    pod.result = result;
    return result;
  }

  /** DEL of the whole chain, which must succeed. */
  async del(pod: Pod, options: CallOptions = {}): Promise<void> {
    succeeded(await this.call('DEL', pod, options));
    await this.delBeneath(pod, options.env);
    delete pod.result;
  }

  async delBeneath(pod: Pod, env: CallOptions['env'] = {}): Promise<void> {
    if (!this.o.beneath || !pod.prev) return;
    const answer = await this.#run(this.o.beneath, 'DEL', pod, { env });
    if (answer.exit !== 0)
      throw new NotHere(`${this.o.beneath.type}, which goes before, fails at DEL: ${answer.stdout}`);
    delete pod.prev;
  }

  /** One call of the plugin itself. For ADD, whatever goes before it in the chain has been run. */
  async call(verb: Verb, pod: Pod | undefined, options: CallOptions = {}): Promise<Answer> {
    if (verb === 'ADD' && pod && options.prev === undefined) await this.beneath(pod);
    return this.#run(this.subject, verb, pod, options);
  }

  async #run(who: Descriptor, verb: Verb, pod: Pod | undefined, options: CallOptions): Promise<Answer> {
    const conf = this.#conf(who, verb, pod, options);
    const env = { ...this.o.plugins.env, ...this.#env(verb, pod, options.env ?? {}) };
    const program = this.o.plugins.paths.get(who.type) ?? '';
    const kill = options.killAfterMs === undefined ? {} : { killAfterMs: options.killAfterMs };
    const { stdin = JSON.stringify(conf) } = options;
    const text = typeof stdin === 'string' ? stdin : stdin(conf);
    const ran = await run(this.node, program, [], { env, stdin: text, ...kill });
    return answerOf(`${verb} of ${who.type}`, ran);
  }

  #conf(who: Descriptor, verb: Verb, pod: Pod | undefined, options: CallOptions): JsonObject {
    const given = who === this.subject ? { ...who.conf, ...this.extra } : who.conf;
    const own = fill(who.kind === 'ipam' ? { ipam: given } : given, this.values(pod));
    // The subject's own keys in front of it are its chain's: what goes before has its own network name too.
    const base = { cniVersion: this.o.version, name: this.network, type: who.type, ...own };
    const prev = options.prev === undefined ? this.#prev(who, verb, pod) : (options.prev ?? undefined);
    return { ...base, ...(prev && { prevResult: prev }), ...options.conf };
  }

  /** ADD gets the result of those before; DEL and CHECK that of the whole chain. */
  #prev(who: Descriptor, verb: Verb, pod: Pod | undefined): JsonObject | undefined {
    if (who !== this.subject) return verb === 'ADD' ? undefined : (pod?.result ?? pod?.prev);
    return verb === 'ADD' ? pod?.prev : pod?.result;
  }

  #env(verb: Verb, pod: Pod | undefined, over: Readonly<Record<string, string | undefined>>): Record<string, string> {
    const usual: Record<string, string | undefined> = {
      PATH,
      CNI_COMMAND: verb,
      CNI_PATH: this.o.plugins.cniPath,
      ...(pod && { CNI_CONTAINERID: pod.id, CNI_NETNS: pod.path, CNI_IFNAME: pod.ifname }),
      ...over,
    };
    return Object.fromEntries(Object.entries(usual).filter((pair): pair is [string, string] => pair[1] !== undefined));
  }

  values(pod?: Pod): Values {
    const place = { dir: this.dir, uplink: UPLINK };
    if (!pod) return { ...place, ifname: this.ifname, n: 0, port: 8000 };
    return {
      ...place,
      ifname: pod.ifname,
      n: pod.n,
      netns: pod.path,
      port: 8000 + pod.n,
      ...resultValues(pod.result ?? pod.prev, pod.ifname, pod.prev),
    };
  }

  /** What the kernel and the plugins' files are like: the node, these pods, the folder. */
  async state(...pods: readonly Pod[]): Promise<Snapshot> {
    const [sysctls, node, ...inside] = await Promise.all([
      sysctlSnapshot(this.node),
      ...[this.node, ...pods.map((pod) => pod.netns)].map(snapshot),
    ]);
    const named = inside.flatMap((lines, i) => lines.map((line) => `pod ${pods[i]?.n}: ${line}`));
    return [...[...(node ?? []), ...sysctls].map((line) => `node: ${line}`), ...named, ...fileSnapshot(this.dir)];
  }

  /** The difference from a state before, once it has become none, or the time for that is over. */
  async changed(before: Snapshot, ...pods: readonly Pod[]): Promise<string[]> {
    const until = performance.now() + SETTLE_MS;
    for (;;) {
      const left = difference(before, await this.state(...pods));
      if (left.length === 0 || performance.now() > until) return left;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }

  /** A CNI_NETNS that does not exist. In the folder for state: if a plugin makes it, that is seen. */
  get noNetns(): string {
    return join(this.dir, 'no-such-netns');
  }

  /** One ADD and DEL, so that what all pods share (bridge, chains of a table) is there before states are compared. */
  async warmUp(): Promise<void> {
    await this.del(await this.added());
  }

  async ping(from: Netns, to: string): Promise<boolean> {
    const flags = to.includes(':') ? ['-6'] : [];
    return (await run(from, 'ping', [...flags, '-n', '-q', '-c', '1', '-W', '0.7', to])).exit === 0;
  }

  /** For what must pass: a busy machine is asked again before it is said that nothing does. */
  async reaches(from: Netns, to: string): Promise<boolean> {
    for (let i = 0; i < TRIES; i++) if (await this.ping(from, to)) return true;
    return false;
  }

  /** Names of the interfaces of a namespace. */
  async links(netns: Netns): Promise<string[]> {
    return (await read(netns, 'addr')).flatMap((row) => (typeof row.ifname === 'string' ? [row.ifname] : []));
  }
}

/** The node's end is that of the plugin which made the interface, whatever the ones after it add. */
function resultValues(result: JsonObject | undefined, ifname: string, prev = result): Values {
  if (!result) return {};
  const links = objects(result.interfaces);
  const inside = links.find((link) => link.name === ifname && isSandboxed(link));
  const outside = objects(prev?.interfaces).findLast((link) => !isSandboxed(link));
  return {
    ip: hostAddress(result),
    ...(typeof inside?.mac === 'string' && { mac: inside.mac }),
    ...(typeof outside?.name === 'string' && { hostif: outside.name }),
  };
}
