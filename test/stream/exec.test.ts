import assert from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tendSize } from '#lab/kubelet/stream/tend-frames.ts';
import { startCluster } from '#test/stream/cluster.ts';
import { KUBECTL_ENDS, KUBECTLS, run, start } from '#test/stream/kubectl.ts';
import { LocalBackend } from '#test/stream/local-backend.ts';

test('some kubectl is installed', { skip: KUBECTLS.length === 0 ? 'no kubectl is installed' : false }, () => undefined);

for (const kubectl of KUBECTLS) {
  test(`${kubectl.name} exec gives output, stderr apart, and the exit code`, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const result = await run(kubectl, cluster, [
      'exec',
      'web',
      '-c',
      'main',
      '--',
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    ]);
    assert.equal(result.stdout.toString(), 'out\n');
    assert.match(result.stderr, /^err\n/);
    assert.match(result.stderr, /exit code 7/);
    assert.equal(result.code, 7);
  });

  test(`${kubectl.name} exec -i passes stdin to its end`, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const result = await run(kubectl, cluster, ['exec', '-i', 'web', '-c', 'main', '--', 'cat'], 'hi\n');
    assert.deepEqual([result.stdout.toString(), result.code, result.stderr], ['hi\n', 0, '']);
  });
}

const newest = KUBECTL_ENDS.at(-1);
const oldest = KUBECTL_ENDS.at(0);
const oneVersion = newest === oldest ? 'needs kubectls of before 1.30 and after' : false;

test('both protocols are tried: SPDY by the oldest kubectl, WebSocket by the newest', {
  skip: oneVersion,
}, async () => {
  await using cluster = await startCluster(new LocalBackend());
  for (const kubectl of [oldest, newest])
    if (kubectl) await run(kubectl, cluster, ['exec', 'web', '-c', 'main', '--', 'true']);
  assert.match(cluster.upgrades[0] ?? '', /^SPDY\/3\.1 v4\.channel\.k8s\.io/);
  assert.match(cluster.upgrades[1] ?? '', /^websocket v5\.channel\.k8s\.io/);
});

/** Bytes that do not repeat within what a buffer holds. */
function noise(size: number): Buffer {
  return randomFillSync(Buffer.allocUnsafe(size));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

for (const kubectl of KUBECTL_ENDS) {
  test(`${kubectl.name} exec passes 50 MB through stdin and stdout unharmed`, { timeout: 60_000 }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const input = noise(50_000_000);
    const result = await run(kubectl, cluster, ['exec', '-i', 'web', '-c', 'main', '--', 'cat'], input);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(sha256(result.stdout), sha256(input));
  });

  test(`${kubectl.name} exec ends although the command does not read its stdin`, { timeout: 20_000 }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const result = await run(
      kubectl,
      cluster,
      ['exec', '-i', 'web', '-c', 'main', '--', 'sh', '-c', 'exec <&-; echo done'],
      noise(9e6),
    );
    assert.deepEqual([result.stdout.toString(), result.code], ['done\n', 0]);
  });

  test(`${kubectl.name} exec shows the end of a long output to a slow reader`, { timeout: 30_000 }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const child = start(kubectl, cluster, [
      'exec',
      'web',
      '-c',
      'main',
      '--',
      'sh',
      '-c',
      'head -c 8000000 /dev/zero; echo end',
    ]);
    await once(child.stdout, 'readable');
    let size = 0;
    let tail = Buffer.alloc(0);
    for await (const chunk of child.stdout) {
      size += chunk.length;
      tail = Buffer.concat([tail, chunk]).subarray(-4);
      // A reader slower than any sender, without a clock.
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual([size, tail.toString()], [8_000_004, 'end\n']);
  });

  test(`${kubectl.name} exec: a cut connection kills the command`, { timeout: 20_000 }, async () => {
    const backend = new LocalBackend();
    await using cluster = await startCluster(backend);
    const child = start(kubectl, cluster, [
      'exec',
      'web',
      '-c',
      'main',
      '--',
      'sh',
      '-c',
      'echo ready; exec sleep 600',
    ]);
    await once(child.stdout, 'data');
    const [command] = backend.running;
    assert.ok(command);
    const gone = once(command, 'exit');
    const ended = once(child, 'exit');
    cluster.cut();
    assert.deepEqual((await gone)[1], 'SIGKILL');
    await ended;
  });

  test(`${kubectl.name} exec: kubectl killed kills the command, also one that prints all the time`, {
    timeout: 20_000,
  }, async () => {
    const backend = new LocalBackend();
    await using cluster = await startCluster(backend);
    const child = start(kubectl, cluster, ['exec', 'web', '-c', 'main', '--', 'yes']);
    await once(child.stdout, 'readable');
    const [command] = backend.running;
    assert.ok(command);
    const gone = once(command, 'exit');
    child.kill('SIGKILL');
    await gone;
  });

  test(`${kubectl.name} runs 20 execs at once`, { timeout: 60_000 }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const runs = Array.from({ length: 20 }, async (_, index) => {
      const args = ['exec', '-i', 'web', '-c', 'main', '--', 'sh', '-c', `cat; exit ${index}`];
      const result = await run(kubectl, cluster, args, `input ${index}`);
      assert.deepEqual([result.stdout.toString(), result.code], [`input ${index}`, index]);
    });
    await Promise.all(runs);
  });

  test(`${kubectl.name} exec prints why a container cannot be reached`, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const result = await run(kubectl, cluster, ['exec', 'web', '-c', 'gone', '--', 'true']);
    assert.match(result.stderr, /unable to upgrade connection: container not found \("gone"\)/);
    assert.equal(result.code, 1);
  });

  test(`${kubectl.name} exec prints why a command did not start`, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const result = await run(kubectl, cluster, ['exec', 'web', '-c', 'main', '--', '/no/such/file']);
    assert.match(result.stderr, /error:.*\/no\/such\/file ENOENT/);
    assert.equal(result.code, 1);
  });

  test(`${kubectl.name} attach -i reaches the container's own streams`, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const result = await run(kubectl, cluster, ['attach', '-i', 'web'], 'through\n');
    assert.match(result.stdout.toString(), /through\n/);
  });

  test(`${kubectl.name} cp copies a folder there and back`, { timeout: 20_000 }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const [from, there, back] = ['from', 'there', 'back'].map((name) => join(cluster.directory, name));
    assert.ok(from && there && back);
    mkdirSync(from);
    mkdirSync(there);
    writeFileSync(join(from, 'file'), noise(3_000_000));
    const up = await run(kubectl, cluster, ['cp', from, `web:${there}`]);
    const down = await run(kubectl, cluster, ['cp', `web:${there}/from`, back]);
    assert.deepEqual([up.code, down.code], [0, 0], up.stderr + down.stderr);
    assert.equal(sha256(readFileSync(join(back, 'file'))), sha256(readFileSync(join(from, 'file'))));
  });
}

const tend = join(import.meta.dirname, '../../native/bin/tend');
const noTerminal = existsSync(tend) ? false : 'needs native/bin/tend for a terminal';

for (const kubectl of KUBECTL_ENDS) {
  test(`${kubectl.name} exec -it gives a terminal and tells its size, now and later`, {
    skip: noTerminal,
    timeout: 20_000,
  }, async () => {
    const backend = new LocalBackend(tend);
    await using cluster = await startCluster(backend);
    const command = 'echo ready; until [ "$(stty size)" = "43 132" ]; do sleep 0.02; done; stty size; exit 4';
    const kubectlIt = { ...kubectl, path: tend };
    const child = start(
      kubectlIt,
      cluster,
      ['exec', '-it', 'web', '-c', 'main', '--', 'sh', '-c', command],
      ['pty', '--', kubectl.path],
    );
    child.stdin.write(tendSize(100, 30));
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => {
      if (seen.includes('ready') === false && `${seen}${chunk}`.includes('ready')) child.stdin.write(tendSize(132, 43));
      seen += chunk.toString();
    });
    await once(child, 'close');
    assert.match(seen, /ready[\s\S]*43 132/);
    assert.equal(child.exitCode, 4, seen);
    assert.equal(backend.sizes.at(-1), '132x43');
  });
}
