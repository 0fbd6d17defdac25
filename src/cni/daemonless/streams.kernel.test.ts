import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, symlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { type Alone, alone } from '#cni/testing/alone.ts';
import { answerOf, bed, noBed, ROUTED, SHIM } from '#cni/testing/bed.ts';

const skip = noBed();
const timeout = 60_000;

/** A worker answers through the shim, or the plugin's own process does. */
const WAYS = { 'by a worker': undefined, 'by a process each': 0 } as const;

const ADDRESS = { addresses: [{ address: '10.9.0.5/24' }] };
const ENV = { CNI_CONTAINERID: 'c1', CNI_NETNS: '/proc/1/ns/net', CNI_IFNAME: 'eth0' };

/** An answer of several hundred kilobytes, which no pipe holds. */
const ROUTES = Array.from({ length: 8_000 }, (_, i) => ({
  dst: `10.${100 + (i >> 8)}.${i & 255}.0/24`,
  gw: '10.9.0.1',
}));

/** Exit status of the executable, run by a shell that redirects its standard output; descriptor 3 is `pipe`. */
async function redirected(a: Alone, redirection: string, ipam: object, pipe: number | 'ignore' = 'ignore') {
  const env = { POLDER_CNI_SOCKET: a.socketPath, CNI_COMMAND: 'ADD', PATH: process.env.PATH ?? '', ...ENV };
  const words = ['-c', `exec "$0" ${redirection}`, join(a.binDir, 'static')];
  const child = spawn('sh', words, { env, stdio: ['pipe', 'ignore', 'ignore', pipe] });
  child.stdin?.end(JSON.stringify({ cniVersion: '1.1.0', name: 'n', type: 'static', ipam }));
  const [exit] = await once(child, 'close');
  return exit;
}

test('with a closed standard input the shim asks the agent with no configuration, and does not wait for itself', {
  skip,
  timeout,
}, async (t) => {
  const b = await bed(t, ROUTED);
  const env = { POLDER_CNI_SOCKET: b.socketPath, CNI_COMMAND: 'VERSION' };
  const plugin = join(b.dir, 'polder');
  symlinkSync(SHIM, plugin);
  const child = spawn('sh', ['-c', 'exec "$0" <&-', plugin], { env, timeout: 5_000, killSignal: 'SIGKILL' });
  const { exit, json, stdout } = await answerOf(child, '');
  assert.deepEqual([exit, json?.cniVersion], [0, '1.1.0'], stdout);
});

for (const [way, idleMs] of Object.entries(WAYS)) {
  test(`an answer that cannot be written is no success, ${way}`, { skip, timeout }, async (t) => {
    const a = alone(t, ['static'], idleMs);
    assert.equal(await redirected(a, '>/dev/full', ADDRESS), 1, 'no room');
    assert.equal(await redirected(a, '>&-', ADDRESS), 1, 'closed');
  });

  test(`an answer is written whole to a pipe that does not block its writer, ${way}`, { skip, timeout }, async (t) => {
    const a = alone(t, ['static'], idleMs);
    const fifo = join(a.dir, 'fifo');
    spawnSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    const answer = redirected(a, '>&3', { ...ADDRESS, routes: ROUTES }, writer);
    closeSync(writer);
    const said: unknown = JSON.parse(await text(new Socket({ fd: reader })));
    assert.equal(await answer, 0);
    assert.ok(typeof said === 'object' && said !== null && 'routes' in said && Array.isArray(said.routes));
    assert.equal(said.routes.length, ROUTES.length);
  });
}

test('an executable without an agent and without room for its answer fails', { skip }, () => {
  const env = { POLDER_CNI_SOCKET: '/nonexistent/cni.sock', CNI_COMMAND: 'VERSION' };
  const { status } = spawnSync('sh', ['-c', 'exec "$0" >/dev/full', SHIM], { env, input: '{}' });
  assert.equal(status, 1);
});
