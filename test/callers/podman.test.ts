/** Debian's podman, with its CNI back end, as the caller of our plugin. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EVERY_CAPABILITY } from './support/capabilities.ts';
import { type Machine, makeMachine } from './support/machine.ts';
import {
  addNeighbour,
  assertLinks,
  assertReachable,
  fetchFromNeighbour,
  linksOf,
  serveHttp,
} from './support/network.ts';
import { type Podman, setUpPodman } from './support/podman.ts';
import { without } from './support/programs.ts';
import { readRecords, readSample, shapeOf } from './support/records.ts';
import { makeBin, startServer } from './support/server.ts';

const NETWORKS = {
  pods: [{ type: 'polder' }],
  second: [{ type: 'polder' }],
  recorded: [
    { type: 'recorded-polder', capabilities: EVERY_CAPABILITY },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

describe('podman', { skip: without('podman', 'conmon', 'runc', 'busybox') }, () => {
  let machine: Machine;
  let podman: Podman;
  let links: string[];

  before(async () => {
    machine = await makeMachine();
    await addNeighbour(machine);
    await startServer(machine);
    podman = await setUpPodman(machine, makeBin(machine), NETWORKS);
    links = await linksOf(machine);
  });
  after(() => machine?.[Symbol.asyncDispose]());

  async function addressOf(container: string, network = 'pods'): Promise<string> {
    const format = `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
    return await podman.must('inspect', '--format', format, container);
  }

  test('two containers get addresses, reach one another, and nothing of them stays', async () => {
    await podman.idle('pods', 'a');
    await podman.idle('pods', 'b');
    const addrs = [await addressOf('a'), await addressOf('b')];
    for (const addr of addrs) {
      assert.match(addr, /^10\.244\.1\.\d+$/);
      await assertReachable(machine, addr);
    }
    await podman.must('exec', 'a', 'ping', '-c', '1', '-W', '2', addrs[1] ?? '');
    await podman.must('stop', 'a', 'b');
    await assertLinks(machine, links);
    await podman.must('rm', 'a', 'b');
  });

  test('a container that is started again is attached again', async () => {
    await podman.idle('pods', 'again');
    await podman.must('stop', 'again');
    await podman.must('start', 'again');
    await assertReachable(machine, await addressOf('again'));
    await podman.must('rm', '-f', 'again');
    await assertLinks(machine, links);
  });

  test('a second network comes behind the first, and leaves it as it was when it goes', async () => {
    await podman.idle('pods', 'both');
    const first = await addressOf('both');
    const pid = await podman.must('inspect', '--format', '{{.State.Pid}}', 'both');
    const routes = () => machine.must('nsenter', '-t', pid, '-n', 'ip', 'route');
    const before = await routes();
    await podman.must('network', 'connect', 'second', 'both');
    const second = await addressOf('both', 'second');
    assert.notEqual(second, first);
    for (const addr of [first, second]) await assertReachable(machine, addr);
    assert.equal((await routes()).split('\n')[0], before.split('\n')[0]);
    await podman.must('network', 'disconnect', 'second', 'both');
    assert.equal(await routes(), before);
    await assertReachable(machine, first);
    await podman.must('rm', '-f', 'both');
    await assertLinks(machine, links);
  });

  test('an address and a hardware address that are asked for are given; what comes is as in the samples', async (t) => {
    const wish = ['--ip', '10.244.1.77', '--mac-address', '0a:58:0a:f4:01:4d', '--network-alias', 'www'];
    await podman.idle('recorded', 'wish', ...wish, '-p', '8080:80', '-p', '8053:53/udp');
    assert.equal(await addressOf('wish', 'recorded'), '10.244.1.77');
    assert.match(await podman.must('exec', 'wish', 'cat', '/sys/class/net/eth0/address'), /^0a:58:0a:f4:01:4d/);
    await podman.must('rm', '-f', 'wish');
    await assertLinks(machine, links);
    const version = await podman.must('--version');
    if (!version.includes(' 4.3.')) return t.skip(`no samples of ${version}`);
    // The keys of `aliases` are networks' names.
    const shapes = readRecords(machine).map((record) =>
      JSON.stringify(shapeOf(record)).replaceAll('"recorded"', '"pods"'),
    );
    const samples = ['version', 'add', 'del'].map((name) => JSON.stringify(shapeOf(readSample(`podman-4.3-${name}`))));
    assert.deepEqual([...new Set(shapes)], samples);
  });

  test('a network that podman itself makes: two containers, and a port that leads from another machine', async () => {
    await podman.must('network', 'create', '--subnet', '10.90.0.0/24', 'made');
    await podman.idle('made', 'server', '-p', '8081:80');
    await podman.idle('made', 'client');
    const server = await addressOf('server', 'made');
    assert.match(server, /^10\.90\.0\.\d+$/);
    await podman.must('exec', 'client', 'ping', '-c', '1', '-W', '2', server);
    const pid = Number(await podman.must('inspect', '--format', '{{.State.Pid}}', 'server'));
    await serveHttp(machine, pid, 80, 'from the container');
    assert.equal(await fetchFromNeighbour(machine, 8081), 'from the container');
    await podman.must('rm', '-f', 'server', 'client');
    await podman.must('network', 'rm', 'made');
    await assertLinks(machine, links);
  });
});
