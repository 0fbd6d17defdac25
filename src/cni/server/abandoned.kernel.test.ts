/** A caller that is killed while its ADD is under way, as a runtime does at its deadline: nothing of it stays. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type Bed, bed, noBed, pathOf, ROUTED } from '#cni/testing/bed.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { encodeCall } from '#wire/cni/frame.ts';

const skip = noBed();
const CONF = { cniVersion: '1.1.0', name: 'polder', type: 'polder' };

/** A node, a pod, and what its runtime asks for. */
interface Case {
  readonly b: Bed;
  readonly cni: (command: string, conf?: object) => ReturnType<Bed['cni']>;
  readonly caller: DoomedCaller;
}

interface DoomedCaller {
  send(bytes: 'first half' | 'second half'): void;
  /** Is killed as soon as its ADD has begun, which is before the interface is made. Resolves then. */
  readonly died: Promise<void>;
}

async function withDoomedCaller(t: TestContext): Promise<Case> {
  const died = Promise.withResolvers<void>();
  let socket: ReturnType<typeof connect> | undefined;
  // ADD asks this first of all.
  const nodeNetwork = () => {
    socket?.destroy();
    died.resolve();
    return ROUTED;
  };
  const b = await bed(t, ROUTED, { nodeNetwork });
  const pod = scratchNetns();
  t.after(() => pod.close());
  const env = varsOf(pod);
  const frame = encodeCall({ argv0: 'polder', env: { CNI_COMMAND: 'ADD', ...env }, stdin: JSON.stringify(CONF) });
  const half = Math.floor(frame.length / 2);
  return {
    b,
    cni: (command, conf = CONF) => b.cni(command, env, conf),
    caller: {
      send(bytes) {
        socket ??= connect(b.socketPath);
        socket.write(bytes === 'first half' ? frame.subarray(0, half) : frame.subarray(half));
      },
      died: died.promise,
    },
  };
}

function varsOf(pod: Netns): Record<string, string> {
  return { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0' };
}

function nothingIsLeft({ server }: Bed): void {
  using netlink = openNetlink();
  const links = netlink.links().filter((link) => !link.loopback);
  assert.deepEqual([links.map(({ name }) => name), server.attachments()], [[], []]);
}

test('an ADD whose caller was killed is undone before its DEL is answered', { skip }, async (t) => {
  const { b, cni, caller } = await withDoomedCaller(t);
  caller.send('first half');
  caller.send('second half');
  await caller.died;
  // The lock of the container makes this one wait for the other.
  assert.equal((await cni('DEL')).exit, 0);
  nothingIsLeft(b);
  const again = await cni('ADD');
  assert.equal(again.exit, 0, again.stdout);
});

test('an ADD that is read only after the DEL of its killed caller is undone by itself', { skip }, async (t) => {
  const { b, cni, caller } = await withDoomedCaller(t);
  caller.send('first half');
  assert.equal((await cni('DEL')).exit, 0);
  caller.send('second half');
  await caller.died;
  // Nobody calls DEL again: CHECK waits for the lock and changes nothing.
  const check = await cni('CHECK', { ...CONF, prevResult: {} });
  assert.equal(check.json?.code, 3, check.stdout);
  nothingIsLeft(b);
  const again = await cni('ADD');
  assert.equal(again.exit, 0, again.stdout);
});
