/** Two nodes in namespaces with a pod each, and real agent processes: for tests of the agent as a whole. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { parseIfAddr } from '#net/prefix.ts';
import { kubeconfigFor, TinyApi } from '#serve/agent/testing/tiny-api.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

export const SHIM = join(import.meta.dirname, '../../../../native/bin/cni-shim');
const ENTRY = join(import.meta.dirname, '../../../cmd/agent.ts');
const CACHE = join(import.meta.dirname, '../../../../.polder/cache');

/** A node's namespace and, when started, its agent. */
export interface TestNode {
  readonly name: string;
  readonly netns: Netns;
  readonly netlink: Netlink;
  readonly dir: string;
  agent?: ChildProcess;
}

export class Agents implements AsyncDisposable {
  readonly api = new TinyApi();
  readonly nodes: TestNode[] = [];
  readonly #stack = new DisposableStack();
  readonly #dir = mkdtempSync(join(tmpdir(), 'polder-agents-'));

  /** Nodes node1 and node2, joined by one veth pair, known to the API. */
  static async make(profile: string, settings: Readonly<Record<string, string>> = {}): Promise<Agents> {
    const agents = new Agents();
    agents.api.putSettings({ profile, ...settings });
    const [a, b] = [agents.#node('node1'), agents.#node('node2')];
    must(a.netlink, [
      { op: 'link.add', link: { name: 'eth0', info: { kind: 'veth' }, peer: { name: 'eth0', netns: b.netns.fd } } },
    ]);
    for (const [index, node] of agents.nodes.entries()) {
      const addr = `192.168.1.${101 + index}`;
      must(node.netlink, [...up('lo'), ...up('eth0'), address('eth0', `${addr}/24`)]);
      writeFileSync(join(node.dir, 'kubeconfig'), kubeconfigFor(await agents.api.listen(node.netns)));
      agents.api.putNode(node.name, addr, `10.244.${index + 1}.0/24`);
    }
    return agents;
  }

  #node(name: string): TestNode {
    const netns = this.#stack.use(scratchNetns());
    const dir = join(this.#dir, name);
    mkdirSync(dir);
    const node = { name, netns, netlink: this.#stack.use(openNetlink(netns.fd)), dir };
    this.nodes.push(node);
    return node;
  }

  /** A namespace that lives as long as the nodes. */
  scratch(): Netns {
    return this.#stack.use(scratchNetns());
  }

  /** Starts the node's agent and waits until it can take pods. */
  async start(node: TestNode): Promise<void> {
    const files = ['--kubeconfig', join(node.dir, 'kubeconfig'), '--state', node.dir];
    const sockets = ['--cni-socket', join(node.dir, 'cni.sock'), '--status-socket', join(node.dir, 'agent.sock')];
    const log = join(node.dir, 'agent.log');
    const args = ['--max-semi-space-size=1', ENTRY, '--node', node.name, ...files, ...sockets, '--underlay', 'eth0'];
    const env = this.#environment();
    const child = inNetns(node.netns, () =>
      spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] }),
    );
    child.stderr?.on('data', (chunk) => writeFileSync(log, chunk, { flag: 'a' }));
    node.agent = child;
    await until(
      `${node.name} is ready`,
      async () => child.exitCode !== null || (await this.ask(node, '/healthz')) === 'ok\n',
    );
    if (child.exitCode !== null) throw new Error(`The agent ended: ${readFileSync(log, 'utf8')}`);
  }

  /** A pod, attached by the plugin through shim and agent. */
  attach(node: TestNode, containerId: string): { readonly netns: Netns; readonly addr: string } {
    const netns = this.scratch();
    const { stdout } = this.#plugin(node, containerId, 'ADD', `/proc/${process.pid}/fd/${netns.fd}`);
    const result = JSON.parse(stdout) as { ips: { address: string }[] };
    return { netns, addr: result.ips[0]?.address.split('/')[0] ?? '' };
  }

  detach(node: TestNode, containerId: string): { readonly stdout: string } {
    return this.#plugin(node, containerId, 'DEL', '');
  }

  #plugin(node: TestNode, containerId: string, command: string, netns: string): { readonly stdout: string } {
    const shim = join(node.dir, 'polder');
    if (!existsSync(shim)) symlinkSync(SHIM, shim);
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: 'eth0',
      CNI_PATH: node.dir,
      POLDER_CNI_SOCKET: join(node.dir, 'cni.sock'),
    };
    const input = JSON.stringify({ cniVersion: '1.0.0', name: 'polder', type: 'polder' });
    const { status, stdout } = inNetns(node.netns, () => spawnSync(shim, { env, input, encoding: 'utf8' }));
    if (status !== 0) throw new Error(`${command} failed: ${stdout}`);
    return { stdout };
  }

  /**
   * With a warm compile cache, as the start script gives it: the agent then need not load the type stripper. It is the start
   * script's own: to make one anew takes an emulated machine longer than all the rest.
   */
  #environment(): NodeJS.ProcessEnv {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', NODE_COMPILE_CACHE: CACHE };
    if (!Agents.#warm) spawnSync(process.execPath, [ENTRY, '--help'], { env });
    Agents.#warm = true;
    return env;
  }

  static #warm = false;

  /** Takes the agent away without a word. */
  async kill(node: TestNode, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const { agent } = node;
    if (!agent || agent.exitCode !== null) return null;
    const exit = once(agent, 'exit');
    agent.kill(signal);
    const [code] = await exit;
    delete node.agent;
    return code;
  }

  /** The messages of the agent's log since its beginning. */
  log(node: TestNode): { readonly msg: string; readonly done?: readonly string[] }[] {
    const lines = readFileSync(join(node.dir, 'agent.log'), 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line));
  }

  /** GET (or POST) on the status socket; undefined while nobody answers. */
  ask(node: TestNode, path: string, method: 'GET' | 'POST' = 'GET'): Promise<string | undefined> {
    return new Promise((resolve) => {
      const asked = request({ socketPath: join(node.dir, 'agent.sock'), path, method }, async (response) => {
        resolve(Buffer.concat(await response.toArray()).toString());
      });
      asked.on('error', () => resolve(undefined)).end();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await this.kill(node);
    this.api.close();
    this.#stack.dispose();
    rmSync(this.#dir, { recursive: true });
  }
}

/**
 * Asks until it holds. @throws Error after a minute and a half: an emulated machine is slow, the more so with others at work, and
 * a test there has five minutes in all.
 */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 90_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`Waited in vain until ${what}`);
    // Who is asked has other things to do.
    await delay(25);
  }
}

export function must(netlink: Netlink, ops: readonly NetlinkOp[]): void {
  const [failure] = netlink.run(ops);
  if (failure) throw new Error(`${JSON.stringify(failure.op)}: ${failure.code} ${failure.text ?? ''}`);
}

export function up(name: string): NetlinkOp[] {
  return [{ op: 'link.set', name, change: { up: true } }];
}

export function address(link: string, text: string): NetlinkOp {
  return { op: 'addr.add', address: { link, address: parseIfAddr(text), scope: 'global' } };
}
