import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { runFolder } from './tied.ts';

test('spawnTied: what was started ends with a runner that is killed', { timeout: 60_000 }, async () => {
  // The started program has the write end of the runner's output: that closes once both have ended.
  const program = `
    import { spawnTied } from ${JSON.stringify(join(import.meta.dirname, 'tied.ts'))};
    const child = spawnTied(['sh', '-c', 'echo ready; exec sleep 600'], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.once('data', () => process.kill(process.pid, 'SIGKILL'));
  `;
  const runner = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [said, [, signal]] = await Promise.all([text(runner.stderr), once(runner, 'exit')]);
  assert.equal(signal, 'SIGKILL', said);
});

test('runFolder removes folders of runners that have gone, and no others', () => {
  const dir = mkdtempSync(join(tmpdir(), 'polder-tied-'));
  try {
    // Above the largest process id that Linux gives (proc_pid_max, 2^22).
    const gone = join(dir, 'run.9999999.abcdef');
    for (const path of [gone, join(dir, 'root')]) mkdirSync(path);
    const mine = runFolder(dir);
    const other = runFolder(dir);
    assert.deepEqual([gone, mine, other, join(dir, 'root')].map(existsSync), [false, true, true, true]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
