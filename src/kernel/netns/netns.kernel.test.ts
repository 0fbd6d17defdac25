import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pollReadable } from '#kernel/ffi/poll.ts';
import { closeFd, netnsCookie, ownNetnsCookie, peerCred } from '#kernel/ffi/sockets.ts';
import { acceptOne, listenUnix } from '#kernel/ffi/unix-socket.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { createNetns, deleteNetns } from '#kernel/netns/named.ts';
import { listNetns, namedNetnsPath, openNetns } from '#kernel/netns/netns.ts';
import { listenTcpInNetns } from '#kernel/netns/sockets.ts';
import { KeptSysctls, readSysctl, writeSysctl } from '#kernel/sysctl.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { parseAddr } from '#net/addr.ts';

const skip = noKernel;
const own = () => readlinkSync('/proc/thread-self/ns/net');

test('createNetns makes what ip netns sees and deleteNetns takes it away', { skip }, (t) => {
  const name = `pt-kernel-${process.pid}`;
  t.after(() => deleteNetns(name));
  using ns = createNetns(name);
  assert.ok(listNetns().includes(name));
  using again = openNetns({ name });
  assert.equal(inNetns(ns, own), inNetns(again, own));
  assert.throws(() => createNetns(name), { code: 'EEXIST' });
  assert.ok(listNetns().includes(name), 'a refused creation leaves the existing one');
  const ip = spawnSync('ip', ['netns', 'exec', name, 'ip', '-br', 'link'], { encoding: 'utf8' });
  if (!ip.error) assert.match(ip.stdout, /^lo\b/);
  assert.equal(deleteNetns(name), true);
  assert.equal(deleteNetns(name), false);
  assert.throws(() => openNetns({ name }), { code: 'ENOENT' });
});

test('namedNetnsPath refuses what is no file name', () => {
  for (const name of ['', '.', '..', 'a/b', 'a\0b']) assert.throws(() => namedNetnsPath(name), RangeError);
});

test('inNetns comes back after a result, a throw and nesting', { skip }, () => {
  const home = own();
  using a = scratchNetns();
  using b = scratchNetns();
  const seen = inNetns(a, () => [own(), inNetns(b, own), own()]);
  assert.equal(new Set([home, ...seen]).size, 3);
  assert.equal(seen[0], seen[2]);
  assert.equal(own(), home);
  assert.throws(
    () =>
      inNetns(a, () => {
        throw new Error('inside');
      }),
    /inside/,
  );
  assert.equal(own(), home);
  assert.throws(() => inNetns(a, async () => 1), TypeError);
  assert.throws(() => inNetns(-1, own), { code: 'EBADF' });
  assert.equal(own(), home);
});

test('a process spawned in inNetns lives in the namespace', { skip }, () => {
  using ns = scratchNetns();
  const there = inNetns(ns, own);
  const child = inNetns(ns, () => spawnSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }));
  assert.equal(child.stdout.trim(), there);
});

test('listenTcpInNetns serves the namespace from outside it', { skip }, async () => {
  using ns = scratchNetns();
  inNetns(ns, () => spawnSync('ip', ['link', 'set', 'lo', 'up']));
  const fd = listenTcpInNetns(ns, parseAddr('127.0.0.1'), 0);
  const server = createServer((socket) => socket.end('hello'));
  server.listen({ fd });
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const script = `require('net').connect(${port},'127.0.0.1').pipe(process.stdout)`;
  const client = inNetns(ns, () => spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] }));
  assert.equal(await collect(client.stdout), 'hello');
  server.close();
});

test('listenTcpInNetns names the address that is in use', { skip }, () => {
  using ns = scratchNetns();
  inNetns(ns, () => spawnSync('ip', ['link', 'set', 'lo', 'up']));
  assert.throws(() => listenTcpInNetns(ns, parseAddr('192.0.2.1'), 80), /192\.0\.2\.1:80: bind: EADDRNOTAVAIL/);
});

test('sysctl is read and written per namespace', { skip }, () => {
  using ns = scratchNetns();
  const name = 'net.ipv4.conf.lo.forwarding';
  const before = readSysctl(name);
  writeSysctl(name, 1, ns);
  assert.equal(readSysctl(name, ns), '1');
  writeSysctl(name, 0, ns);
  assert.equal(readSysctl('net/ipv4/conf/lo/forwarding', ns), '0');
  assert.equal(readSysctl(name), before);
  assert.throws(() => readSysctl('net.ipv4.no_such_thing', ns), { code: 'ENOENT' });
});

test('peerCred tells who connected', async () => {
  const path = join(tmpdir(), `pt-kernel-${process.pid}.sock`);
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  const client = connect(path);
  const [socket] = (await once(server, 'connection')) as [Socket & { _handle: { fd: number } }];
  assert.equal(peerCred(socket._handle.fd).pid, process.pid);
  assert.equal(peerCred(socket._handle.fd).uid, process.getuid?.());
  client.destroy();
  socket.destroy();
  server.close();
});

async function collect(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

test('an accepted unix socket has the cookie of its peer’s namespace', { skip }, async (t) => {
  using ns = scratchNetns();
  const path = join(tmpdir(), `pt-cookie-${process.pid}.sock`);
  const listener = listenUnix(path, 8);
  t.after(() => {
    closeFd(listener);
    rmSync(path, { force: true });
  });
  const script = `require('net').connect(${JSON.stringify(path)}).on('data', () => process.exit())`;
  const cookieOf = async (where: typeof ns | undefined) => {
    const start = () => spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    const child = where ? inNetns(where, start) : start();
    const poll = await new Promise<{ fd: number; close(): void }>((resolve) => {
      const handle = pollReadable(listener, () => {
        const fd = acceptOne(listener);
        if (fd !== undefined) resolve({ fd, close: () => handle.close() });
      });
    });
    poll.close();
    const cookie = netnsCookie(poll.fd);
    closeFd(poll.fd);
    child.kill();
    return cookie;
  };
  const own = ownNetnsCookie();
  assert.equal(typeof own, 'bigint');
  assert.equal(await cookieOf(undefined), own);
  assert.equal(await cookieOf(ns), inNetns(ns, ownNetnsCookie));
  assert.notEqual(inNetns(ns, ownNetnsCookie), own);
  assert.equal(netnsCookie(-1), undefined);
});

test('a sysctl that is kept open is read anew each time, in the namespace where it was first read', { skip }, () => {
  using ns = scratchNetns();
  using kept = new KeptSysctls();
  const name = 'net.ipv4.ip_forward';
  inNetns(ns, () => {
    writeSysctl(name, 0);
    assert.equal(kept.read(name), '0');
    writeSysctl(name, 1);
  });
  assert.equal(kept.read(name), '1');
  assert.throws(() => kept.read('net.ipv4.no_such_thing'), { code: 'ENOENT' });
});

test("the thread pool stays in the process's own namespace, also when it is first used in another", { skip }, () => {
  using ns = scratchNetns();
  // A process of its own: here others may have used the pool already.
  const script = `
    import { readlink } from 'node:fs/promises';
    import { inNetns } from '#kernel/netns/enter.ts';
    console.log(await inNetns({ fd: 3 }, () => ({ pending: readlink('/proc/thread-self/ns/net') })).pending);`;
  const args = ['--input-type=module', '--eval', script];
  const ran = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe', ns.fd] });
  assert.equal(ran.stdout.trim(), own(), ran.stderr);
});
