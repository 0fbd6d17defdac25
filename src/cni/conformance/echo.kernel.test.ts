import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { answered, seenAs, serve, silent } from '#cni/conformance/echo.ts';
import { must, run } from '#cni/conformance/exec.ts';
import { noSocat } from '#cni/testing/echo.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noKernel || noSocat;

test('a server of the suite tells every asker its address, many at once, too', { skip }, async () => {
  using netns = scratchNetns();
  await must(netns, ['ip', 'link', 'set', 'lo', 'up']);
  for (const protocol of ['tcp', 'udp'] as const) {
    using _ = await serve(netns, protocol);
    for (const address of ['127.0.0.1', '::1']) {
      // Of datagrams socat takes one after another.
      const asked = Array.from({ length: protocol === 'tcp' ? 100 : 1 }, () => seenAs(netns, protocol, address, 80));
      assert.deepEqual(new Set(await Promise.all(asked)), new Set([address]), protocol);
    }
  }
});

test('nobody answers where no server is, or where the packets go nowhere', { skip }, async () => {
  using netns = scratchNetns();
  await must(netns, ['ip', 'link', 'set', 'lo', 'up']);
  for (const protocol of ['tcp', 'udp'] as const) {
    assert.equal(await silent(netns, protocol, '127.0.0.1', 80), true, `${protocol}, no server`);
    assert.equal(await silent(netns, protocol, '192.0.2.1', 80), true, `${protocol}, no route`);
    assert.equal(await answered(netns, protocol, '127.0.0.1', 80), false, `${protocol}, no server, with patience`);
  }
});

test('a server that ends takes those along that it has made for its askers', { skip }, async () => {
  using netns = scratchNetns();
  await must(netns, ['ip', 'link', 'set', 'lo', 'up']);
  let asker: ReturnType<typeof run>;
  {
    using _ = await serve(netns, 'tcp');
    // It says nothing, and stays.
    asker = run(netns, 'sh', ['-c', 'sleep 60 | socat -u - TCP:127.0.0.1:80']);
    while (serversIn(netns) < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  while (serversIn(netns) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const pid of processesIn(netns)) process.kill(pid, 'SIGKILL');
  await asker;
});

function serversIn(netns: Netns): number {
  return processesIn(netns).filter((pid) => wordsOf(pid).includes('LISTEN')).length;
}

function processesIn(netns: Netns): number[] {
  const own = readlinkSync(`/proc/self/fd/${netns.fd}`);
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((pid) => tryRead(() => readlinkSync(`/proc/${pid}/ns/net`)) === own);
}

function wordsOf(pid: number): string {
  return tryRead(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
}

/** Empty of a process that has ended meanwhile. */
function tryRead(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
