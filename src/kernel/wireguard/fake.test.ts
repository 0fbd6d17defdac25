import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeWireguard } from '#kernel/wireguard/fake.ts';
import { makeKeyPair } from '#kernel/wireguard/keys.ts';
import { parsePrefix } from '#net/prefix.ts';

test('FakeWireguard gives a network to the peer that was told last', () => {
  const [own, one, two] = [makeKeyPair(), makeKeyPair(), makeKeyPair()];
  using fake = new FakeWireguard((key) => (key === own.publicKey ? own.privateKey : undefined));
  fake.add('wg0');
  const allowedIps = [parsePrefix('10.244.1.0/24')];
  const failures = fake.run([
    { op: 'wg.set', device: 'wg0', publicKey: own.publicKey, port: 51820, mark: 1 },
    { op: 'wg.set', device: 'wg0', publicKey: one.publicKey },
    { op: 'wg.peer', device: 'wg0', peer: { publicKey: one.publicKey, keepalive: 0, allowedIps } },
    { op: 'wg.peer', device: 'wg0', peer: { publicKey: two.publicKey, keepalive: 0, allowedIps } },
    { op: 'wg.peer', device: 'wg0', peer: { publicKey: own.publicKey, keepalive: 0, allowedIps } },
    { op: 'wg.remove', device: 'none', publicKey: own.publicKey },
  ]);
  assert.deepEqual(
    failures.map(({ code }) => code),
    ['ENOKEY', 'ENODEV'],
  );
  assert.deepEqual(
    fake.device('wg0')?.peers.map((peer) => peer.allowedIps),
    [[], allowedIps],
  );
});
