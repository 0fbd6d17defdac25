/** What a connection tells of its caller, by the real shim. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Connections, type Peer } from '#cni/server/connections.ts';
import { noBed, SHIM } from '#cni/testing/bed.ts';
import { runWithFew } from '#cni/testing/few-descriptors.ts';
import { ownNetnsCookie } from '#kernel/ffi/sockets.ts';
import { listenUnix } from '#kernel/ffi/unix-socket.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { decodeCall, encodeAnswer, encodeCall } from '#wire/cni/frame.ts';

const skip = noBed();

/** A server that answers with what it was asked, and notes of each caller what `note` says. */
function noting<T>(t: TestContext, note: (peer: Peer) => T) {
  const dir = mkdtempSync(join(tmpdir(), 'pt-cni-'));
  const path = join(dir, 'cni.sock');
  const notes: T[] = [];
  const serve = async (frame: Uint8Array, peer: Peer) => {
    const { stdin } = decodeCall(frame);
    notes.push(note(peer));
    return encodeAnswer(0, stdin);
  };
  const connections = new Connections(listenUnix(path, 8), serve, { info() {}, warn() {}, error() {} });
  t.after(async () => {
    await connections.close();
    rmSync(dir, { recursive: true });
  });
  return { path, notes };
}

async function ask(path: string, words: readonly string[], stdin: string): Promise<string> {
  const [program = '', ...rest] = words;
  const env = { ...process.env, POLDER_CNI_SOCKET: path, CNI_COMMAND: 'STATUS' };
  const child = spawn(program, rest, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdin.end(stdin);
  await once(child, 'close');
  return said;
}

/** Sockets of this process, and folders that it was given. */
function openSockets(): string[] {
  const names = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return [];
    }
  });
  return names.filter((name) => name.startsWith('socket:') || name === '/').sort();
}

test('a caller’s root directory is ours, another’s, or unknown; its network namespace is known at once', {
  skip,
}, async (t) => {
  using ns = scratchNetns();
  const { path, notes } = noting(t, (peer) => [peer.sameRoot, peer.netnsCookie === ownNetnsCookie()]);
  assert.equal(await ask(path, [SHIM], 'a'), 'a');
  assert.equal(await ask(path, ['unshare', '--mount', SHIM], 'b'), 'b');
  assert.equal(await inNetns(ns, () => ({ said: ask(path, [SHIM], 'c') })).said, 'c');
  const plain = connect(path);
  plain.write(encodeCall({ argv0: 'x', env: {}, stdin: 'd' }));
  await once(plain, 'data');
  assert.deepEqual(notes, [
    [true, true],
    [false, true],
    [true, false],
    [undefined, true],
  ]);
});

test('a request in many pieces arrives whole, with what came beside its first, and nothing stays open', {
  skip,
}, async (t) => {
  const { path, notes } = noting(t, (peer) => peer.sameRoot);
  assert.equal(await ask(path, [SHIM], 'a'), 'a');
  const before = openSockets();
  const large = 'x'.repeat(3 << 20);
  assert.equal(await ask(path, [SHIM], large), large);
  const stranger = connect(path);
  stranger.write('GET / HTTP/1.1\r\n\r\n');
  await once(stranger, 'close');
  const halved = connect(path);
  const frame = encodeCall({ argv0: 'x', env: {}, stdin: 'halves' });
  halved.write(frame.subarray(0, 5));
  await once(halved, 'ready');
  setImmediate(() => halved.write(frame.subarray(5)));
  await once(halved, 'data');
  await once(halved, 'close');
  assert.deepEqual(notes, [true, true, undefined]);
  assert.deepEqual(openSockets(), before);
});

test('without descriptors for more callers it says so once, rests, and takes them when it can', async () => {
  const { code, stdout, stderr } = await runWithFew(`
    import { mkdtempSync, rmSync } from 'node:fs';
    import { once } from 'node:events';
    import { connect } from 'node:net';
    import { tmpdir } from 'node:os';
    import { setImmediate as turn } from 'node:timers/promises';
    import { Connections } from '#cni/server/connections.ts';
    import { takeDescriptors } from '#cni/testing/few-descriptors.ts';
    import { listenUnix } from '#kernel/ffi/unix-socket.ts';
    import { encodeAnswer, encodeCall } from '#wire/cni/frame.ts';
    const dir = mkdtempSync(tmpdir() + '/pt-cni-');
    const listener = listenUnix(dir + '/cni.sock', 8);
    const caller = connect(dir + '/cni.sock');
    await once(caller, 'connect');
    caller.write(encodeCall({ argv0: 'x', env: {}, stdin: '' }));
    const giveBack = takeDescriptors();
    const errors = [];
    const log = { info() {}, warn() {}, error: ({ error }) => errors.push(error) };
    const connections = new Connections(listener, async () => encodeAnswer(0, 'served'), log);
    while (errors.length === 0) await turn();
    for (let i = 0; i < 100; i++) await turn();
    giveBack();
    await once(caller, 'data');
    console.log(errors);
    await connections.close();
    rmSync(dir, { recursive: true });
  `);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "[ 'SystemError: Cannot accept a connection: accept4: EMFILE' ]\n");
});
