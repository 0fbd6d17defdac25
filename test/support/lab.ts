/** A lab for one test: its own name, removed whatever happens; and a look at all that it could leave behind. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { testLabName } from '#cli/test/stranded.ts';
import { ipipPlaces } from '#kernel/bpf/ipip.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { openNetns } from '#kernel/netns/netns.ts';
import { groupPids, machineHierarchies } from '#lab/cgroup.ts';
import { labPaths, nodeNetns } from '#lab/names.ts';
import type { LabStatus } from '#lab/status.ts';
import { polder, type Ran, sh } from './polder.ts';

let made = 0;

export interface TestLab extends AsyncDisposable {
  readonly name: string;
  /** `polder lab COMMAND… --name …` */
  run(...args: string[]): Promise<Ran>;
  /** As `run`, and it must succeed. @returns standard output */
  must(...args: string[]): Promise<string>;
  /** A line in a shell with KUBECONFIG set; it must succeed. @returns standard output */
  kubectl(line: string, input?: string): Promise<string>;
  /** As `kubectl`, whatever comes of it. */
  tryKubectl(line: string, input?: string): Promise<Ran>;
  status(): Promise<LabStatus>;
}

/** Brings a lab up. No arguments: not yet. */
export async function testLab(...up: string[]): Promise<TestLab> {
  const lab = nameLab();
  if (up.length > 0) {
    try {
      await lab.must(...up);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }
  return lab;
}

function nameLab(): TestLab {
  made += 1;
  const name = testLabName(made);
  const lab: TestLab = {
    name,
    run: (command = '', ...rest) => {
      const dashes = rest.indexOf('--');
      const at = dashes < 0 ? rest.length : dashes;
      // Before the words that `shell` passes on, which begin at the node's name.
      const [before, after] = command === 'shell' ? [[], rest] : [rest.slice(0, at), rest.slice(at)];
      return polder(['lab', command, ...before, '--name', name, ...after]);
    },
    must: async (...args) => succeeded(args.join(' '), await lab.run(...args)),
    tryKubectl: (line, input) => sh(line, { KUBECONFIG: labPaths(name).kubeconfig }, input),
    kubectl: async (line, input) => succeeded(line, await lab.tryKubectl(line, input)),
    status: async () => JSON.parse(await lab.must('status', '-o', 'json')) as LabStatus,
    [Symbol.asyncDispose]: async () => void (await lab.run('down', '-y')),
  };
  return lab;
}

function succeeded(what: string, ran: Ran): string {
  assert.equal(ran.status, 0, `${what}: status ${ran.status}\n${ran.stdout}\n${ran.stderr}`);
  return ran.stdout;
}

/** Ids of all processes of a lab. */
export function labPids(name: string): number[] {
  const { unified } = machineHierarchies();
  return unified === undefined ? [] : groupPids(unified, labPaths(name).cgroup);
}

/** Network namespaces that processes of a lab are in, the machine's own aside: nodes' and pods'. */
export function labNamespaces(name: string): Set<string> {
  const own = readlinkSync('/proc/self/ns/net');
  return new Set(
    labPids(name)
      .flatMap((pid) => namespaceOf(pid))
      .filter((ns) => ns !== own),
  );
}

function namespaceOf(pid: number): string[] {
  try {
    return [readlinkSync(`/proc/${pid}/ns/net`)];
  } catch {
    return [];
  }
}

/** Processes that are in one of the namespaces. */
export function processesIn(namespaces: ReadonlySet<string>): number[] {
  const pids = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
  return pids.filter((pid) => namespaceOf(pid).some((ns) => namespaces.has(ns)));
}

/** The machine's own network, which no lab may touch. */
export function machineNetwork(): string {
  const read = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8' });
  return [
    read('ip', '-o', 'link').replace(/ state .*/g, ''),
    read('ip', '-o', 'addr').replace(/valid_lft.*/g, ''),
    read('ip', 'route', 'show', 'table', 'all'),
    read('ip', 'rule'),
    read('nft', 'list', 'ruleset'),
    readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'),
  ].join('\n');
}

/** Everything that bears a lab's name anywhere it could have left something. */
export function leftovers(name: string): string[] {
  const found: string[] = [];
  const { dir, runDir, cgroup } = labPaths(name);
  for (const path of [dir, runDir]) if (existsSync(path)) found.push(path);
  for (const root of machineHierarchies().all) if (existsSync(`${root}/${cgroup}`)) found.push(`${root}/${cgroup}`);
  found.push(...listed('/run/netns').filter((entry) => entry.startsWith(`${name}.`)));
  found.push(
    ...readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => mentions(line, name)),
  );
  for (const pid of listed('/proc').filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)) {
    const words = commandOf(pid).split('\0');
    if (words.some((word) => mentions(word, name))) found.push(`process ${pid}: ${words.join(' ')}`);
  }
  return found;
}

function mentions(text: string, name: string): boolean {
  return new RegExp(`(^|[/.=\\s])(polder-)?${name}($|[/.\\s])`).test(text);
}

function listed(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir) : [];
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Interfaces of a node that have programs which stand in for IPIP. */
export function ipipStandIns(lab: TestLab, node: string): string[] {
  using netns = openNetns({ name: nodeNetns(lab.name, node) });
  using netlink = openNetlink(netns.fd);
  return inNetns(netns, () => ipipPlaces(netlink)).map(({ link }) => link);
}

/** Waits until it is so, looking again and again: for what other processes do in their own time. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined>, ms = 30_000): Promise<T> {
  const until = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > until) assert.fail(`${what}: not within ${ms / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
