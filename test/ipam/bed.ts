/** An API server of its own, nodes that take addresses of its pools, and what must go when the test ends. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { type ServerProcess, startProcess } from '#serve/api/testing/process.ts';
import { type Block, readBlock } from '#spec/block.ts';
import { IP_POOLS, IPAM_BLOCKS, IPAM_CONFIGS, type IpamConfig, type IpPool } from '#spec/calico.ts';
import { NODES } from '#spec/k8s.ts';
import { PoolNode, type PoolNodeOptions } from '#test/ipam/pool-node.ts';

export class Bed implements AsyncDisposable {
  readonly dir: string;
  readonly client: ApiClient;
  readonly #server: ServerProcess;
  readonly #nodes = new Set<PoolNode>();
  #stopped = false;

  private constructor(dir: string, server: ServerProcess) {
    this.dir = dir;
    this.#server = server;
    this.client = new ApiClient(loadKubeconfig(this.kubeconfig));
  }

  static async make(...pools: (IpPool['spec'] & { name?: string })[]): Promise<Bed> {
    const dir = mkdtempSync(join(tmpdir(), 'pt-pools-'));
    const server = await startProcess(join(dir, 'api'), ['--listen', '127.0.0.1:0']);
    const bed = new Bed(dir, server);
    for (const [index, { name = `pool${index + 1}`, ...spec }] of pools.entries()) await bed.pool(name, spec);
    return bed;
  }

  get kubeconfig(): string {
    return join(this.dir, 'api', 'kubeconfig');
  }

  pool(name: string, spec: IpPool['spec']): Promise<IpPool> {
    return this.client.create(IP_POOLS, { metadata: { name }, ...(spec && { spec }) });
  }

  config(spec: IpamConfig['spec']): Promise<IpamConfig> {
    return this.client.create(IPAM_CONFIGS, { metadata: { name: 'default' }, ...(spec && { spec }) });
  }

  async node(
    name: string,
    more: Partial<PoolNodeOptions> & { labels?: Record<string, string>; cidr?: string } = {},
  ): Promise<PoolNode> {
    const { labels = {}, cidr, ...options } = more;
    const spec = cidr === undefined ? {} : { spec: { podCIDR: cidr, podCIDRs: [cidr] } };
    await this.client.create(NODES, { metadata: { name, labels }, ...spec }).catch(() => {});
    const node = this.start(name, options);
    await until(() => node.addresses.ready);
    return node;
  }

  start(name: string, options: Partial<PoolNodeOptions> = {}): PoolNode {
    const stateDir = join(this.dir, name);
    mkdirSync(stateDir, { recursive: true });
    const node = new PoolNode({ name, stateDir, kubeconfig: this.kubeconfig, ...options });
    this.#nodes.add(node);
    return node;
  }

  async stop(node: PoolNode): Promise<void> {
    this.#nodes.delete(node);
    await node[Symbol.asyncDispose]();
  }

  async cut(): Promise<void> {
    this.#stopped = true;
    await this.#server.stop('SIGKILL');
  }

  async blocks(): Promise<Block[]> {
    return (await this.client.list(IPAM_BLOCKS)).items.map((object) => readBlock(object) ?? assert.fail());
  }

  /** Handles of a node's pods in the API, by address' place. */
  async handles(cidr: string): Promise<string[]> {
    const block = (await this.blocks()).find((one) => one.cidr === cidr);
    return [...(block?.given.values() ?? [])]
      .filter(({ notes }) => notes.type === undefined)
      .map(({ handle }) => handle);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#nodes) await node[Symbol.asyncDispose]();
    this.client.close();
    if (!this.#stopped) await this.#server.stop('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export async function until(test: () => boolean | Promise<boolean>): Promise<void> {
  for (const start = Date.now(); !(await test()); await delay(10)) {
    if (Date.now() - start > 10_000) assert.fail(`never: ${String(test)}`);
  }
}
