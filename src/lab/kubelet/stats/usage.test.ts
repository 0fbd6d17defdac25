import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { readUsage } from '#lab/kubelet/stats/usage.ts';

function tree(files: Readonly<Record<string, string>>): Disposable & { readonly root: string } {
  const root = mkdtempSync(join(tmpdir(), 'polder-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}

test('cgroup v2: CPU time, and memory less what is cached and idle', () => {
  using at = tree({
    'cgroup.controllers': 'cpu memory',
    'lab/a/cpu.stat': 'usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n',
    'lab/a/memory.current': '9000\n',
    'lab/a/memory.stat': 'anon 1000\ninactive_file 2000\nactive_file 10\n',
  });
  assert.deepEqual(readUsage('lab/a', at.root), { cpuNs: 1_500_000, memory: 7000 });
});

test('hybrid: CPU time of version 2, memory of version 1', () => {
  using at = tree({
    'unified/lab/a/cpu.stat': 'usage_usec 20\n',
    'memory/lab/a/memory.usage_in_bytes': '5000\n',
    'memory/lab/a/memory.stat': 'inactive_file 1\ntotal_inactive_file 600\n',
  });
  assert.deepEqual(readUsage('lab/a', at.root), { cpuNs: 20_000, memory: 4400 });
});

test('version 1 alone counts by cpuacct; a group that is not there has used nothing that can be told', () => {
  using at = tree({ 'cpuacct/lab/a/cpuacct.usage': '77\n', 'memory/lab/a/memory.usage_in_bytes': '1\n' });
  assert.equal(readUsage('lab/a', at.root)?.cpuNs, 77);
  assert.equal(readUsage('lab/b', at.root), undefined);
});

test('where nothing counts memory, the processes of the group are asked', () => {
  using at = tree({ 'unified/lab/a/cpu.stat': 'usage_usec 1\n', 'unified/lab/a/cgroup.procs': `${process.pid}\n` });
  const memory = readUsage('lab/a', at.root)?.memory ?? 0;
  assert.ok(memory > 1_000_000, `${memory}`);
});
