/** Debian's podman, with its CNI back end, as the caller of our plugin. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Machine, makeMachine } from './support/machine.ts';
import { addNeighbour, assertLinks, assertReachable, linksOf } from './support/network.ts';
import { type Podman, setUpPodman } from './support/podman.ts';
import { without } from './support/programs.ts';
import { makeBin, startServer } from './support/server.ts';

const NETWORKS = {
  pods: [{ type: 'polder' }],
  recorded: [
    { type: 'recorded-polder', capabilities: { portMappings: true, ips: true, mac: true, dns: true } },
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

  test('an address and a hardware address that are asked for are given', async () => {
    await podman.idle('recorded', 'wish', '--ip', '10.244.1.77', '--mac-address', '0a:58:0a:f4:01:4d', '-p', '8080:80');
    assert.equal(await addressOf('wish', 'recorded'), '10.244.1.77');
    assert.match(await podman.must('exec', 'wish', 'cat', '/sys/class/net/eth0/address'), /^0a:58:0a:f4:01:4d/);
    await podman.must('rm', '-f', 'wish');
    await assertLinks(machine, links);
  });
});
