import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { Journal } from '#cni/ipam/journal.ts';
import { capacityOf, gatewayOf, isUsable, nextFree } from '#cni/ipam/range.ts';
import { apply, type JournalRecord, keyOf, noAllocations } from '#cni/ipam/record.ts';
import { cidrSource } from '#cni/ipam/source.ts';
import { EndpointStore } from '#cni/ipam/store.ts';
import { smallDisk } from '#cni/testing/small-disk.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import { parseMac } from '#net/mac.ts';
import { parsePrefix } from '#net/prefix.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import { PolderError } from '#spec/errors.ts';

const COOL_DOWN = 30_000;
const cidr = parsePrefix('10.244.1.0/28');

function endpoint(containerId: string, addrs: readonly Addr[]): LocalEndpoint {
  const mac = parseMac('0a:58:0a:f4:01:02');
  return { containerId, ifname: 'eth0', network: 'n', attachment: 'routed', hostIfname: 'cali1', addrs, mac };
}

const key = (containerId: string) => keyOf({ network: 'n', containerId, ifname: 'eth0' });

function directory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'pt-ipam-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

interface Clock {
  time: number;
}

function open(path: string, clock: Clock = { time: 1e6 }, bootId = 'boot-a'): EndpointStore {
  return new EndpointStore({ path, bootId, now: () => clock.time, coolDownMs: COOL_DOWN });
}

function take(store: EndpointStore, id: string, wanted: readonly Addr[] = [], cidrs = [cidr]): Addr {
  const made = store.allocate({ sources: cidrs.map(cidrSource), wanted, make: (addrs) => endpoint(id, addrs) });
  store.up(key(id));
  return made.addrs[0] ?? assert.fail('no address');
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof PolderError) return error.code;
    throw error;
  }
  return 'none';
}

test('range begins at .2 and leaves out the gateway, the network and the broadcast address', () => {
  assert.equal(gatewayOf(cidr), '10.244.1.1');
  assert.equal(capacityOf(cidr), 13);
  assert.equal(capacityOf(parsePrefix('10.0.0.0/32')), 0);
  assert.equal(capacityOf(parsePrefix('10.0.0.0/31')), 0);
  assert.equal(capacityOf(parsePrefix('10.0.0.0/30')), 1);
  assert.equal(
    nextFree(cidr, undefined, () => true),
    '10.244.1.2',
  );
  assert.equal(
    nextFree(cidr, parseAddr('10.244.1.14'), () => true),
    '10.244.1.2',
  );
  assert.equal(
    nextFree(parsePrefix('fd00:1::/64'), undefined, () => true),
    'fd00:1::2',
  );
  for (const bad of ['10.244.1.0', '10.244.1.1', '10.244.1.15', '10.244.1.16', 'fd00::2'])
    assert.ok(!isUsable(cidr, parseAddr(bad)), bad);
});

test('allocate goes round and lets a freed address rest', (t) => {
  const clock = { time: 1e6 };
  using store = open(join(directory(t), 'journal'), clock);
  const all = Array.from({ length: 13 }, (_, i) => take(store, `c${i}`));
  assert.deepEqual(
    all,
    Array.from({ length: 13 }, (_, i) => `10.244.1.${i + 2}`),
  );
  assert.equal(
    codeOf(() => take(store, 'more')),
    'addresses-exhausted',
  );
  store.free(key('c4'));
  assert.throws(() => take(store, 'more'), /12 in use, 1 resting \(the next is free in 30 s\)/);
  clock.time += COOL_DOWN - 1;
  assert.equal(
    codeOf(() => take(store, 'more')),
    'addresses-exhausted',
  );
  clock.time += 1;
  assert.equal(take(store, 'more'), '10.244.1.6');
});

test('allocate gives a wanted address, and says who has it or that it is outside', (t) => {
  using store = open(join(directory(t), 'journal'));
  assert.equal(take(store, 'a', [parseAddr('10.244.1.9')]), '10.244.1.9');
  assert.throws(() => take(store, 'b', [parseAddr('10.244.1.9')]), /container a has it/);
  assert.equal(
    codeOf(() => take(store, 'b', [parseAddr('10.244.1.1')])),
    'address-outside',
  );
  assert.equal(
    codeOf(() => take(store, 'b', [parseAddr('fd00::9')])),
    'address-outside',
  );
  assert.equal(take(store, 'b'), '10.244.1.10');
});

test('allocate gives one address of each family', (t) => {
  using store = open(join(directory(t), 'journal'));
  const cidrs = [cidr, parsePrefix('fd00:1::/64')];
  const made = store.allocate({
    sources: cidrs.map(cidrSource),
    wanted: [parseAddr('fd00:1::77')],
    make: (addrs) => endpoint('a', addrs),
  });
  assert.deepEqual(made.addrs, ['10.244.1.2', 'fd00:1::77']);
});

test('endpoints shows what is up and not on its way out, and tells of every change', (t) => {
  using store = open(join(directory(t), 'journal'));
  let changes = 0;
  using _ = store.onChange(() => changes++);
  store.allocate({ sources: [cidrSource(cidr)], wanted: [], make: (addrs) => endpoint('a', addrs) });
  assert.deepEqual(store.endpoints(), []);
  store.up(key('a'));
  assert.equal(store.endpoints().length, 1);
  store.hide(key('a'));
  store.hide(key('a'));
  assert.deepEqual(store.endpoints(), []);
  assert.equal(store.all().length, 1);
  store.free(key('a'));
  store.free(key('a'));
  assert.equal(changes, 3);
});

test('the journal carries allocations, rest and round-robin across a restart, but not across a boot', (t) => {
  const path = join(directory(t), 'journal');
  const clock = { time: 1e6 };
  {
    using store = open(path, clock);
    take(store, 'a');
    take(store, 'b');
    store.free(key('a'));
  }
  {
    using store = open(path, clock);
    assert.deepEqual(
      store.all().map((e) => e.containerId),
      ['b'],
    );
    assert.equal(take(store, 'c'), '10.244.1.4');
    assert.equal(store.freeIn(cidrSource(cidr)), 10);
  }
  using store = open(path, clock, 'boot-b');
  assert.deepEqual(store.all(), []);
  assert.equal(take(store, 'd'), '10.244.1.2');
});

test('the journal is compacted and says the same afterwards', (t) => {
  const path = join(directory(t), 'journal');
  const clock = { time: 1e6 };
  let last: Addr | undefined;
  {
    using store = open(path, clock);
    take(store, 'stays');
    for (let i = 0; i < 900; i++) {
      clock.time += COOL_DOWN;
      last = take(store, `c${i}`);
      store.free(key(`c${i}`));
    }
    assert.ok(readFileSync(path, 'utf8').split('\n').length < 1100);
  }
  using store = open(path, clock);
  assert.deepEqual(
    store.all().map((e) => e.containerId),
    ['stays'],
  );
  assert.notEqual(take(store, 'next'), last);
});

test('the journal is compacted also where round-robin never comes back to an address', (t) => {
  const path = join(directory(t), 'journal');
  const clock = { time: 1e6 };
  const cidrs = [parsePrefix('fd00:1::/64')];
  let longest = 0;
  using store = open(path, clock);
  for (let i = 0; i < 2000; i++) {
    clock.time += COOL_DOWN;
    take(store, `c${i}`, [], cidrs);
    store.free(key(`c${i}`));
    if (i % 100 === 0) longest = Math.max(longest, linesOf(path));
  }
  assert.ok(longest < 1100, `${longest} lines`);
});

test('a compaction that fails is tried again, but not at each record', (t) => {
  const path = join(directory(t), 'journal');
  const clock = { time: 1e6 };
  using store = open(path, clock);
  const pods = (count: number) => {
    for (let i = 0; i < count; i++) {
      clock.time += COOL_DOWN;
      take(store, 'a');
      store.free(key('a'));
    }
  };
  // No file can be made in its place.
  mkdirSync(`${path}.new`);
  pods(350);
  rmdirSync(`${path}.new`);
  pods(10);
  assert.ok(linesOf(path) > 1000);
  pods(350);
  assert.ok(linesOf(path) < 1000);
});

test('Journal that has no room to be written anew leaves no file and no descriptor, and goes on', async (t) => {
  const disk = await smallDisk(t, 'size=64k');
  const path = join(disk, 'journal');
  using journal = new Journal(path, 'boot-a', () => {});
  writeFileSync(join(disk, 'filler'), Buffer.alloc(48 << 10));
  const record: JournalRecord = { op: 'last', addr: parseAddr('10.244.1.2') };
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  for (let i = 0; i < 3; i++)
    assert.throws(() => journal.rewrite(Array.from({ length: 1000 }, () => record)), /ENOSPC/);
  assert.equal(open(), before);
  assert.deepEqual(readdirSync(disk).sort(), ['filler', 'journal']);
  journal.append(record);
  assert.equal(linesOf(path), 2);
  journal.rewrite([record]);
  journal.append(record);
  assert.equal(linesOf(path), 3);
});

/** The header's is one of them. */
function linesOf(path: string): number {
  return readFileSync(path, 'utf8').split('\n').length - 1;
}

test('a damaged line in the middle is an error that names it, not a forgotten address', (t) => {
  const path = join(directory(t), 'journal');
  {
    using store = open(path);
    take(store, 'a');
  }
  appendFileSync(path, '{"op":"add","endpoint":{}}\n');
  assert.throws(() => open(path), /damaged at line 4/);
  writeFileSync(path, '{"polder":"cni-journal","version":99,"boot":"boot-a"}\n');
  assert.equal(
    codeOf(() => open(path)),
    'journal-damaged',
  );
});

type Step = { readonly do: 'take' | 'free' | 'wait' | 'restart'; readonly id: string };

test('no address is given twice, whatever is taken, freed and restarted in whatever order', (t) => {
  const dir = directory(t);
  const step: fc.Arbitrary<Step> = fc.record({
    do: fc.constantFrom('take', 'free', 'wait', 'restart'),
    id: fc.nat(9).map((n) => `c${n}`),
  });
  let run = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const path = join(dir, `journal${run++}`);
      const clock = { time: 1e6 };
      let store = open(path, clock);
      const model = new Map<string, Addr>();
      const freed = new Map<Addr, number>();
      for (const { do: what, id } of steps) {
        if (what === 'wait') clock.time += 7_000;
        else if (what === 'free') {
          const addr = model.get(id);
          if (addr) freed.set(addr, clock.time);
          store.free(key(id));
          model.delete(id);
        } else if (what === 'restart') {
          store[Symbol.dispose]();
          store = open(path, clock);
        } else if (!model.has(id)) takeInto(store, model, freed, id, clock.time);
        const held = store.all().map((e) => [e.containerId, e.addrs[0]] as const);
        assert.deepEqual(new Map(held), model);
      }
      store[Symbol.dispose]();
    }),
    { numRuns: 60 },
  );
});

function takeInto(
  store: EndpointStore,
  model: Map<string, Addr>,
  freed: Map<Addr, number>,
  id: string,
  now: number,
): void {
  try {
    const addr = take(store, id);
    assert.ok(![...model.values()].includes(addr), `${addr} twice`);
    assert.ok(now - (freed.get(addr) ?? Number.NEGATIVE_INFINITY) >= COOL_DOWN, `${addr} had no rest`);
    model.set(id, addr);
  } catch (error) {
    assert.ok(error instanceof PolderError && error.code === 'addresses-exhausted', String(error));
  }
}

test('a journal cut at any byte has every record whose newline is there, and goes on from it', (t) => {
  const dir = directory(t);
  const path = join(dir, 'journal');
  {
    using store = open(path);
    for (const id of ['a', 'b', 'c']) take(store, id);
    store.free(key('b'));
    take(store, 'd');
  }
  const whole = readFileSync(path);
  for (let cut = 0; cut <= whole.length; cut++) {
    const torn = join(dir, 'torn');
    writeFileSync(torn, whole.subarray(0, cut));
    const expected = foldLines(whole.subarray(0, cut).toString());
    using store = open(torn);
    assert.deepEqual(store.all(), expected, `cut at ${cut}`);
    const addr = take(store, 'next');
    assert.ok(!expected.some((e) => e.addrs.includes(addr)), `cut at ${cut}: ${addr} twice`);
    using again = open(torn);
    assert.equal(again.all().length, expected.length + 1, `cut at ${cut}: the new record was joined to the torn one`);
  }
});

/** The same by hand: whole lines only. */
function foldLines(text: string): LocalEndpoint[] {
  const state = noAllocations();
  for (const line of text.split('\n').slice(1, -1)) apply(state, JSON.parse(line));
  return Array.from(state.held.values(), (held) => held.endpoint);
}

test('a process killed with SIGKILL loses no allocation that it reported', { timeout: 30_000 }, async (t) => {
  const path = join(directory(t), 'journal');
  const script = `
    import { writeSync } from 'node:fs';
    import { cidrSource } from '#cni/ipam/source.ts';
    import { EndpointStore } from '#cni/ipam/store.ts';
    const store = new EndpointStore({ path: ${JSON.stringify(path)}, bootId: 'boot-a', now: () => 1, coolDownMs: 0 });
    for (let i = store.all().length; ; i++) {
      const made = store.allocate({ sources: [cidrSource('10.0.0.0/12')], wanted: [], make: (addrs) => (
        { containerId: 'c' + i, ifname: 'eth0', network: 'n', attachment: 'routed', hostIfname: 'x', addrs, mac: '0a:58:00:00:00:01' }) });
      writeSync(1, made.containerId + ' ' + made.addrs[0] + '\\n');
    }`;
  const reported = new Map<string, string>();
  for (let round = 0; round < 2; round++) {
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8');
    let text = '';
    child.stdout.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > 20_000) child.kill('SIGKILL');
    });
    await once(child, 'close');
    for (const line of text.split('\n').slice(0, -1)) {
      const [id, addr] = line.split(' ');
      assert.ok(id && addr && !reported.has(id) && ![...reported.values()].includes(addr), `${line} twice`);
      reported.set(id, addr);
    }
  }
  assert.ok(reported.size > 500);
  const kept = new Map<string, string>();
  using _ = new Journal(path, 'boot-a', (record) => {
    if (record.op === 'add') kept.set(record.endpoint.containerId, record.endpoint.addrs[0] ?? '');
  });
  for (const [id, addr] of reported) assert.equal(kept.get(id), addr);
});
