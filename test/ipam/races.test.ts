/**
 * Twenty nodes add and delete at once on the real API server, are killed and started again, and the server too; then
 * the whole history is gone through. A share of it runs here; all of it with
 *
 *     POLDER_IPAM_OPERATIONS=100000 node --test test/ipam/races.test.ts
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { type ServerProcess, startProcess } from '#serve/api/testing/process.ts';
import { addrAt, readBlock } from '#spec/block.ts';
import { IP_POOLS, IPAM_BLOCKS } from '#spec/calico.ts';
import { NODES } from '#spec/k8s.ts';
import { type RaceEvent, RaceHistory, type RaceOrder } from '#test/ipam/race-history.ts';

const OPERATIONS = Number(process.env.POLDER_IPAM_OPERATIONS ?? 5_000);
const NODES_EACH = 5;
const PROCESSES = 4;
/** More is lost time: the machine is shared. */
const LIMIT_MS = 120_000 + OPERATIONS * 20;
/** What a process has done at least when it is killed: on a busy machine it would else die before it begins. */
const LEAST = 40;

class Race implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'pt-races-'));
  readonly events: RaceEvent[] = [];
  readonly names = Array.from({ length: NODES_EACH * PROCESSES }, (_, i) => `node${i + 1}`);
  readonly #children = new Map<number, ChildProcess>();
  #server: ServerProcess | undefined;
  /** Operations of each process in its present life. */
  readonly #lives = new Map<number, number>();
  #life = 0;
  #done = 0;
  kills = 0;
  outages = 0;

  get operations(): number {
    return this.#done;
  }

  get kubeconfig(): string {
    return join(this.dir, 'api', 'kubeconfig');
  }

  async startServer(port = 0): Promise<void> {
    this.#server = await startProcess(join(this.dir, 'api'), ['--listen', `127.0.0.1:${port}`]);
  }

  async outage(ms: number): Promise<void> {
    const { port = 0 } = this.#server ?? {};
    await this.#server?.stop('SIGKILL');
    this.outages++;
    await delay(ms);
    await this.startServer(port);
  }

  startNodes(index: number, pauseMs: number): void {
    const nodes = this.names.slice(index * NODES_EACH, (index + 1) * NODES_EACH);
    const order: RaceOrder = { life: this.#life++, nodes, dir: this.dir, kubeconfig: this.kubeconfig, pauseMs };
    const script = join(import.meta.dirname, 'race-process.ts');
    const child = spawn(process.execPath, [script, JSON.stringify(order)], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event: RaceEvent = JSON.parse(line);
      this.events.push(event);
      if (event.e !== 'add' && event.e !== 'del') return;
      this.#done++;
      this.#lives.set(index, (this.#lives.get(index) ?? 0) + 1);
    });
    this.#children.set(index, child);
    this.#lives.set(index, 0);
  }

  /** Until the process has done something in this life. */
  async atWork(index: number, until: number): Promise<void> {
    while ((this.#lives.get(index) ?? 0) < LEAST && Date.now() < until) await delay(20);
  }

  /** Kills a process in the middle of whatever it does; true when it was heard out. */
  async kill(index: number): Promise<void> {
    const child = this.#children.get(index);
    if (child === undefined || child.exitCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    this.kills++;
  }

  /** Nodes stop, say what they have, and the API gets it. */
  async finish(): Promise<void> {
    const ends = [...this.#children.values()].map(async (child) => {
      const closed = once(child, 'close');
      child.stdin?.end();
      const [code] = await closed;
      assert.equal(code, 0, 'a process of nodes failed');
    });
    await Promise.all(ends);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.values()) child.kill('SIGKILL');
    await this.#server?.stop('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

test(`of ${OPERATIONS} operations of 20 nodes, with kills and outages, none gives an address twice or loses one`, {
  timeout: LIMIT_MS * 2,
}, async (t) => {
  await using race = new Race();
  await race.startServer();
  using client = new ApiClient(loadKubeconfig(race.kubeconfig));
  for (const name of race.names) await client.create(NODES, { metadata: { name } });
  // 8 blocks for 20 nodes, 512 addresses for twenty times some 35 containers: most borrow, and wait for what others free.
  const spec = { cidr: '10.64.0.0/23', blockSize: 26, vxlanMode: 'Always' };
  await client.create(IP_POOLS, { metadata: { name: 'pool' }, spec });

  for (let index = 0; index < PROCESSES; index++) race.startNodes(index, 4);
  const until = Date.now() + LIMIT_MS;
  // On a quick machine the operations are done before the server was ever away.
  const isOver = () => race.operations >= OPERATIONS && race.outages > 0;
  for (let round = 0; !isOver() && Date.now() < until; round++) {
    const index = Math.floor(Math.random() * PROCESSES);
    await race.atWork(index, until);
    await delay(Math.random() * 1000);
    await race.kill(index);
    if (round % 3 === 1) await race.outage(Math.random() * 500);
    race.startNodes(index, 4);
  }
  await race.finish();

  const history = new RaceHistory();
  history.read(race.events);
  t.diagnostic(
    `${history.operations} operations, refused: ${JSON.stringify(Object.fromEntries(history.refused))}, ${race.kills} kills of 5 nodes, ${race.outages} outages, ` +
      `${history.holders.size} addresses held at the end`,
  );
  assert.deepEqual(history.wrong, []);
  assert.ok(history.operations >= OPERATIONS, `only ${history.operations} operations in ${LIMIT_MS} ms`);
  assert.ok(race.kills > 0 && race.outages > 0);
  await compareWithApi(client, history);
});

/** What the API says is what the nodes have: each address under its container's handle, and nothing else. */
async function compareWithApi(client: ApiClient, history: RaceHistory): Promise<void> {
  const said = new Map<string, string>();
  for (const object of (await client.list(IPAM_BLOCKS)).items) {
    const block = readBlock(object) ?? assert.fail(`${object.metadata.name} cannot be read`);
    for (const [place, { handle, node, notes }] of block.given) {
      if (notes.type === undefined) said.set(addrAt(block.cidr, place), `${node} ${handle}`);
    }
  }
  const held = [...history.holders].map(([addr, { node, container }]) => [
    addr,
    `${node} k8s-pod-network.${container}`,
  ]);
  assert.deepEqual(new Map([...said].sort()), new Map(held.sort() as [string, string][]));
}
