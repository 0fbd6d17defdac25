import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootNow } from '#cni/dhcp/clock.ts';
import { formatRecord, type LeaseRecord, parseRecord } from '#cni/dhcp/record.ts';
import { parseAddr } from '#net/addr.ts';
import { parseIfAddr } from '#net/prefix.ts';

const RECORD: LeaseRecord = {
  ...{ network: 'lan', containerId: 'c1', ifname: 'eth0', netns: '/run/netns/c1', inode: 4026532001 },
  who: { clientId: Uint8Array.of(0, 1), provide: new Map([[12, Uint8Array.of(97)]]), request: [42] },
  broadcast: false,
  lease: {
    address: parseIfAddr('10.50.0.10/24'),
    server: parseAddr('10.50.0.1'),
    ...{ routes: [], nameservers: [], search: [] },
    times: { renew: 1800, rebind: 3150, seconds: 3600 },
  },
  asked: 12_340,
  lost: false,
};

/** As it was written when leases were counted by the wall clock. */
function former(since: number): string {
  const { asked: _, ...rest }: Record<string, unknown> = JSON.parse(formatRecord(RECORD));
  return JSON.stringify({ ...rest, since });
}

test('parseRecord reads what formatRecord has written', () => {
  assert.deepEqual(parseRecord(formatRecord(RECORD)), RECORD);
});

test('parseRecord takes the time of a record of the former version over from the wall clock', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 });
  const ageOf = (since: number) => bootNow() - parseRecord(former(since)).asked;
  const near = (age: number, expected: number) => assert.ok(Math.abs(age - expected) < 1_000, `${age}`);
  near(ageOf(Date.now() - 20_000), 20_000);
  // It was set back: the lease cannot be from the time to come.
  near(ageOf(Date.now() + 8 * 3_600_000), 0);
  // It was set ahead: nor can it be older than the machine's start, with which /run was empty.
  near(ageOf(0), bootNow());
});
