import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProcessId } from '#lab/process.ts';
import type { ProgramSpec } from '#lab/programs.ts';
import { restartDelay, WELL_AFTER_MS } from '#lab/supervisor/backoff.ts';
import type { Effects, Running } from '#lab/supervisor/effects.ts';
import { Keeper } from '#lab/supervisor/keeper.ts';

function program(id: string, after: string[] = []): ProgramSpec {
  return { id, entry: `${id}.ts`, args: [], cgroup: 'g', logFile: '', pidFile: '', listen: [], after };
}

/** A machine in memory: processes end and time passes when the test says so. */
class FakeMachine implements Effects {
  clock = 0;
  log: string[] = [];
  files = new Set<string>();
  adoptable = new Map<string, Running>();
  #nextPid = 100;
  #ended = new Map<number, (how: string) => void>();
  #timers: { at: number; call: () => void }[] = [];
  #waits: { files: readonly string[]; call: () => void }[] = [];
  refuse = false;

  start(spec: ProgramSpec, ended: (how: string) => void): Running {
    if (this.refuse) throw new Error('no memory');
    const id: ProcessId = { pid: this.#nextPid++, started: '1' };
    this.log.push(`start ${spec.id}`);
    this.#ended.set(id.pid, ended);
    return { id, since: this.date(), adopted: false };
  }
  adopt(spec: ProgramSpec, ended: (how: string) => void): Running | undefined {
    const running = this.adoptable.get(spec.id);
    if (running !== undefined) this.#ended.set(running.id.pid, ended);
    return running;
  }
  signal(id: ProcessId, signal: NodeJS.Signals): void {
    this.log.push(`${signal} ${id.pid}`);
  }
  forget(spec: ProgramSpec): void {
    this.log.push(`forget ${spec.id}`);
  }
  later(ms: number, call: () => void): () => void {
    const timer = { at: this.clock + ms, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }
  whenFiles(files: readonly string[], call: () => void): () => void {
    const wait = { files, call };
    if (files.every((file) => this.files.has(file))) call();
    else this.#waits.push(wait);
    return () => {
      this.#waits = this.#waits.filter((other) => other !== wait);
    };
  }
  now(): number {
    return this.clock;
  }

  date(): number {
    return 1_000_000 + this.clock;
  }

  end(pid: number, how: string): void {
    this.#ended.get(pid)?.(how);
  }
  pass(ms: number): void {
    this.clock += ms;
    const due = this.#timers.filter((timer) => timer.at <= this.clock);
    this.#timers = this.#timers.filter((timer) => timer.at > this.clock);
    for (const timer of due) timer.call();
  }
  comes(file: string): void {
    this.files.add(file);
    const ready = this.#waits.filter((wait) => wait.files.every((name) => this.files.has(name)));
    this.#waits = this.#waits.filter((wait) => !ready.includes(wait));
    for (const wait of ready) wait.call();
  }
}

test('Keeper starts what is wanted once, and what ends again', async () => {
  const machine = new FakeMachine();
  const keeper = new Keeper(machine);
  await keeper.reconcile([program('a'), program('b')]);
  await keeper.reconcile([program('a'), program('b')]);
  assert.deepEqual(machine.log, ['start a', 'start b']);
  machine.pass(50);
  machine.end(100, 'SIGKILL');
  machine.pass(0);
  const lastRun = { from: 1_000_000, to: 1_000_050 };
  assert.deepEqual(keeper.status(), [
    { id: 'a', state: 'running', pid: 102, since: 1_000_050, restarts: 1, failures: 1, lastEnd: 'SIGKILL', lastRun },
    { id: 'b', state: 'running', pid: 101, since: 1_000_000, restarts: 0, failures: 0 },
  ]);
});

test('Keeper waits longer each time that a program ends early, and forgets that once it ran well', async () => {
  const machine = new FakeMachine();
  const keeper = new Keeper(machine);
  await keeper.reconcile([program('a')]);
  machine.end(100, 'exit status 1');
  machine.pass(0);
  machine.end(101, 'exit status 1');
  machine.pass(restartDelay(2) - 1);
  assert.equal(keeper.status()[0]?.state, 'restarting');
  machine.pass(1);
  assert.equal(keeper.status()[0]?.pid, 102);
  machine.pass(WELL_AFTER_MS);
  machine.end(102, 'exit status 1');
  machine.pass(0);
  assert.equal(keeper.status()[0]?.pid, 103);
});

test('restartDelay is none at first, then doubles up to its limit', () => {
  assert.deepEqual([1, 2, 3, 4, 20].map(restartDelay), [0, 100, 200, 400, 5000]);
});

test('Keeper starts a program only when the files that it needs are there', async () => {
  const machine = new FakeMachine();
  const keeper = new Keeper(machine);
  await keeper.reconcile([program('a', ['kubeconfig'])]);
  assert.equal(keeper.status()[0]?.state, 'waiting');
  machine.comes('kubeconfig');
  assert.equal(keeper.status()[0]?.state, 'running');
});

test('Keeper adopts what an earlier supervisor started, and starts it anew when it ends', async () => {
  const machine = new FakeMachine();
  machine.adoptable.set('a', { id: { pid: 7, started: '5' }, since: 5, adopted: true });
  const keeper = new Keeper(machine);
  await keeper.reconcile([program('a')]);
  assert.deepEqual(machine.log, []);
  assert.equal(keeper.status()[0]?.pid, 7);
  assert.equal(keeper.status()[0]?.since, 5);
  machine.end(7, 'ended');
  machine.pass(0);
  assert.deepEqual(machine.log, ['start a']);
});

test('Keeper asks a program that is no longer wanted to end, insists, and then forgets it', async () => {
  const machine = new FakeMachine();
  const keeper = new Keeper(machine);
  await keeper.reconcile([program('a')]);
  const done = keeper.reconcile([]);
  machine.pass(5000);
  machine.end(100, 'SIGKILL');
  await done;
  assert.deepEqual(machine.log, ['start a', 'SIGTERM 100', 'SIGKILL 100', 'forget a']);
  assert.deepEqual(keeper.status(), []);
});

test('Keeper restarts a program that runs: it is asked to end, and made to if it does not', async () => {
  const machine = new FakeMachine();
  const keeper = new Keeper(machine);
  await keeper.reconcile([program('a'), program('b', ['kubeconfig'])]);
  for (const id of ['a', 'b', 'nobody']) keeper.restart(id);
  machine.end(100, 'exit status 0');
  machine.pass(0);
  assert.deepEqual(machine.log, ['start a', 'SIGTERM 100', 'start a']);
  machine.pass(5000);
  keeper.restart('a');
  machine.pass(5000);
  machine.end(101, 'SIGKILL');
  machine.pass(restartDelay(2));
  assert.deepEqual(machine.log.slice(3), ['SIGTERM 101', 'SIGKILL 101', 'start a']);
  assert.equal(keeper.status()[0]?.restarts, 2);
});

test('Keeper gives up a start that waits when the program is no longer wanted', async () => {
  const machine = new FakeMachine();
  const keeper = new Keeper(machine);
  await keeper.reconcile([program('a', ['kubeconfig'])]);
  await keeper.reconcile([]);
  machine.comes('kubeconfig');
  assert.deepEqual(machine.log, ['forget a']);
});

test('Keeper tries again when a program cannot be started', async () => {
  const machine = new FakeMachine();
  machine.refuse = true;
  const keeper = new Keeper(machine);
  await keeper.reconcile([program('a')]);
  assert.deepEqual(keeper.status(), [
    { id: 'a', state: 'restarting', restarts: 1, failures: 1, lastEnd: 'no memory', lastRun: { to: 1_000_000 } },
  ]);
  machine.refuse = false;
  machine.pass(0);
  assert.equal(keeper.status()[0]?.state, 'running');
});
