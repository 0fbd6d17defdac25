import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockLab } from '#lab/lock.ts';
import { LABS_DIR } from '#lab/names.ts';
import { leftovers, testLab } from './support/lab.ts';
import { closedTo, noLab, polder, type Ran, ROOT, run, sh } from './support/polder.ts';

const skip = noLab();
const NOBODY = 65_534;

/** A command that is refused: nothing of the lab may be there afterwards. */
async function refused(...args: string[]): Promise<Ran> {
  await using lab = await testLab();
  const ran = await polder(['lab', 'up', '--name', lab.name, ...args]);
  assert.deepEqual(leftovers(lab.name), [], args.join(' '));
  return ran;
}

async function refusedFile(text: string): Promise<Ran> {
  const dir = mkdtempSync(join(tmpdir(), 'polder-'));
  try {
    writeFileSync(join(dir, 'c.yaml'), text);
    return await refused('--file', join(dir, 'c.yaml'));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('networks that overlap or are none are refused with 6', { skip }, async () => {
  for (const cidr of ['192.168.0.0/16', '10.96.0.0/16', '10.244.0.1/16', 'ten', '10.244.0.0/33', '10.244.0.0/24']) {
    const ran = await refused('--cluster-cidr', cidr, '--nodes', '3');
    assert.equal(ran.status, 6, `${cidr}: ${ran.stderr}`);
    assert.match(ran.stderr, /^error: .*\n {7}\S/);
  }
});

test('wrong words are refused with 2, and the likely one is named', { skip }, async () => {
  for (const args of [
    ['--profile', 'calico'],
    ['--nodes', '0'],
    ['--nodes', 'three'],
    ['--nodes', '1000'],
    ['--subnets', '3'],
    ['--mtu', '1'],
    ['--colour'],
  ]) {
    assert.equal((await refused(...args)).status, 2, args.join(' '));
  }
  const ran = await polder(['lab', 'statsu']);
  assert.equal(ran.status, 2);
  assert.match(ran.stderr, /Did you mean status\?/);
  assert.equal((await polder(['lab', 'up', '--name', 'A.b'])).status, 2);
});

test('a cluster file that is broken is refused with 7, file and line', { skip }, async () => {
  const broken = await refusedFile('nodes:\n- name: a\n  subnet: one\n');
  assert.equal(broken.status, 7);
  assert.match(broken.stderr, /c\.yaml:3: nodes\.subnet must be a whole number\./);
  assert.equal((await refusedFile('a: [b\n')).status, 7);
  assert.equal((await refused('--file', '/nowhere/c.yaml')).status, 7);
});

test('an unknown field of a cluster file is warned of', { skip }, async () => {
  // Refused for another reason, so that no lab is made for this.
  const ran = await refusedFile('nodez: 3\nclusterCIDR: x\n');
  assert.equal(ran.status, 6);
  assert.match(ran.stderr, /warning: .*c\.yaml:1: unknown field "nodez"/);
});

test('a port in use is refused with 8', { skip }, async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const ran = await refused('--api-port', `${address.port}`);
    assert.equal(ran.status, 8);
    assert.match(ran.stderr, new RegExp(`Port ${address.port} on 127\\.0\\.0\\.1 is in use`));
  } finally {
    server.close();
  }
});

test('a feature that the kernel lacks is refused with 4, and named', { skip }, async () => {
  await using lab = await testLab();
  // In mounts of its own the program is shown a kernel without overlayfs.
  const script = `f=$(mktemp) && grep -v overlay /proc/filesystems > $f; mount --bind $f /proc/filesystems && rm $f
    exec ${process.execPath} ${ROOT}/src/cmd/polder.ts lab up --name ${lab.name}`;
  const ran = await run('unshare', ['--mount', 'sh', '-c', script]);
  assert.equal(ran.status, 4, ran.stderr);
  assert.match(ran.stderr, /The kernel has no file system overlay/);
  assert.deepEqual(leftovers(lab.name), []);
});

test('a lab that another command is changing is refused with 10', { skip }, async () => {
  await using lab = await testLab();
  using _held = await lockLab(lab.name);
  for (const args of [['up'], ['down', '-y'], ['node', 'stop', 'node1']]) {
    const ran = await lab.run(...args);
    assert.equal(ran.status, 10, args.join(' '));
    assert.match(ran.stderr, new RegExp(`process ${process.pid}`));
  }
});

test('a lab that is not there is said with 9', { skip }, async () => {
  await using lab = await testLab();
  for (const args of [['status'], ['kubeconfig'], ['shell', 'node1'], ['node', 'add', 'x'], ['logs'], ['verify']]) {
    const ran = await lab.run(...args);
    assert.equal(ran.status, 9, `${args.join(' ')}: ${ran.stderr}`);
    assert.deepEqual(leftovers(lab.name), []);
  }
});

test('without root a lab is refused with 3, help and version are not', { skip: skip || closedTo(NOBODY) }, async () => {
  for (const args of [['up'], ['down'], ['verify'], ['shell', 'node1'], ['node', 'stop', 'node1']]) {
    assert.equal((await polder(['lab', ...args], { uid: NOBODY })).status, 3, args.join(' '));
  }
  assert.equal((await polder(['--version'], { uid: NOBODY })).status, 0);
  assert.equal((await polder(['lab', 'up', '--help'], { uid: NOBODY })).status, 0);
});

test('lab.json of a newer version, or damaged, is said; lab down removes it', { skip }, async () => {
  await using lab = await testLab();
  for (const [text, what] of [
    ['{"version": 99}', 'version 99'],
    ['{', 'damaged'],
  ] as const) {
    const dir = join(LABS_DIR, lab.name);
    await sh(`mkdir -p ${dir} && echo '${text}' > ${dir}/lab.json`);
    const ran = await lab.run('up');
    assert.equal(ran.status, 7);
    assert.ok(ran.stderr.includes(what));
    assert.deepEqual(readdirSync(dir), ['lab.json']);
    await lab.must('down', '-y');
    assert.deepEqual(leftovers(lab.name), []);
  }
});

test('polder starts from any folder and through a link', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'polder-'));
  try {
    await sh(`ln -s ${join(ROOT, 'polder')} ${dir}/one && ln -s one ${dir}/two`);
    const direct = await run(join(ROOT, 'polder'), ['--version'], { cwd: '/' });
    assert.match(direct.stdout, /^\d+\.\d+\.\d+\n$/);
    assert.equal((await run(`${dir}/two`, ['--version'], { cwd: '/' })).stdout, direct.stdout);
    assert.equal((await run('./two', ['--version'], { cwd: dir })).stdout, direct.stdout);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('colour only where somebody sees it', async () => {
  assert.ok(!(await polder(['lab', 'statsu'])).stderr.includes('\x1b['));
});

test('every program says by --help how it is used, and refuses an option that it does not know with 2', {
  skip,
}, async () => {
  for (const program of ['agent', 'apiserver', 'controller', 'kubelet', 'bench']) {
    const help = await polder([program, '--help']);
    assert.deepEqual([help.status, help.stdout.startsWith('Usage: ')], [0, true], program);
    const refused = await polder([program, '--no-such-option']);
    assert.equal(refused.status, 2, `${program}: ${refused.stderr}`);
    assert.doesNotMatch(refused.stderr, /bug in Polder/);
  }
});
