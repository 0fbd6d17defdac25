/** WireGuard as a whole: real agents of two nodes, told by a FelixConfiguration, with keys that they make and publish. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';
import { Agents, SHIM, type TestNode, until } from '#serve/agent/testing/agents.ts';
import { NODE_ANNOTATIONS } from '#spec/calico-annotations.ts';
import { kernelHas } from '#sync/features.ts';

const skip = noKernel || (existsSync(SHIM) ? false : 'the native programs are not built');

/** Without standing in the way of the API server, which is in this process. */
async function ping(from: Netns, to: string): Promise<boolean> {
  const args = ['-c', '3', '-i', '0.2', '-W', '5', to];
  const run = inNetns(from, () => spawn('ping', args, { stdio: ['ignore', 'pipe', 'ignore'] }));
  return / 0% packet loss/.test(await text(run.stdout));
}

test('agents encrypt when a FelixConfiguration says so, keep their keys, take new ones, and stop when it says no', {
  skip,
}, async (t) => {
  if (!kernelHas('wireguard')) return t.skip('this kernel has no interfaces of kind wireguard');
  await using agents = await Agents.make('vxlan');
  const [first, second] = agents.nodes as [TestNode, TestNode];
  agents.api.putFelix({ wireguardEnabled: true });
  await Promise.all([agents.start(first), agents.start(second)]);
  const published = (node: TestNode) => agents.api.annotationsOf(node.name)[NODE_ANNOTATIONS.keys[4]];
  const encrypts = async (node: TestNode, key: string | undefined): Promise<boolean> => {
    const { encrypted } = JSON.parse((await agents.ask(node, '/wireguard')) ?? '{"encrypted":[]}') as {
      encrypted: readonly { publicKey: string }[];
    };
    return encrypted.some(({ publicKey }) => publicKey === key);
  };
  const both = () =>
    until('both encrypt', async () => (await encrypts(first, published(second))) && encrypts(second, published(first)));
  await both();
  const near = agents.attach(first, 'near');
  const far = agents.attach(second, 'far');
  // A handshake that comes before the other has heard the key is made again after some seconds.
  await until('the far pod answers', () => ping(near.netns, far.addr));
  assert.match((await agents.ask(first, '/wireguard')) ?? '', /"lastHandshake": \d+/);
  assert.equal(statSync(join(first.dir, 'wireguard.key')).mode & 0o777, 0o600);

  const key = published(first);
  await agents.kill(first);
  await agents.start(first);
  await both();
  assert.equal(published(first), key, 'a restart keeps the key');
  assert.equal(await agents.ask(first, '/plan'), '');
  await until('the far pod answers', () => ping(near.netns, far.addr));

  const own = () => first.netlink.rules().filter(({ protocol }) => protocol === 77);
  const rules = own();
  assert.equal(rules.length, 1);
  first.netlink.run(rules.map((rule) => ({ op: 'rule.del', rule })));
  await until('the rule that somebody deleted is back', () => own().length === 1);

  assert.equal(await agents.ask(first, '/wireguard/rotate', 'POST'), '{\n  "rotated": 1\n}\n');
  await until('the new key is published', () => published(first) !== key);
  await both();
  await until('the far pod answers', () => ping(near.netns, far.addr));
  const told = JSON.stringify([
    agents.log(first),
    await agents.ask(first, '/wireguard'),
    await agents.ask(first, '/state'),
  ]);
  assert.doesNotMatch(told, /private-key (?!FILE)/);

  agents.api.putFelix({ wireguardEnabled: false });
  await until('nothing of it is left', () =>
    agents.nodes.every(
      (node) =>
        published(node) === undefined &&
        !node.netlink.links().some(({ info }) => info.kind === 'wireguard') &&
        !node.netlink.rules().some(({ protocol }) => protocol === 77),
    ),
  );
  await until('the far pod answers', () => ping(near.netns, far.addr));
});
