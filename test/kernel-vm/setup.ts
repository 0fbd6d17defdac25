/**
 * Brings a virtual machine's parts: QEMU, Debian's cloud kernel, a small initial file system. Nothing is installed:
 * packages come through apt into a folder of their own and are unpacked there.
 */

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';

/** Where the parts are kept. */
export const DIR = '/var/cache/polder/kernel-vm';

const KERNEL = 'linux-image-6.12-cloud-amd64';
/** QEMU of Debian 12 itself crashes with this kernel's start in emulation; the backport does not. */
const SUITE = 'bookworm-backports';
/** What the first program of the guest needs before there is a file system to load from. */
const EARLY_MODULES = ['virtio_pci', 'virtiofs', 'overlay'];

/** Why there is no machine here: a sentence for the skipped tests. */
export class NoMachine extends Error {
  override readonly name = 'NoMachine';
}

export interface Parts {
  readonly dir: string;
  readonly qemu: readonly string[];
  readonly virtiofsd: readonly string[];
  readonly kernel: string;
  readonly initrd: string;
}

/** Parts that are there already are kept. @throws NoMachine */
export function prepare(dir: string, say: (line: string) => void): Parts {
  if (process.arch !== 'x64') throw new NoMachine(`the machine is made for x86-64, this is ${process.arch}`);
  if (!existsSync(join(dir, 'ready'))) makeBeside(dir, say);
  const root = join(dir, 'root');
  const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'].map((path) => join(root, path)).join(':');
  const run = (program: string) => ['env', `LD_LIBRARY_PATH=${libraries}`, program];
  const firmware = ['qemu', 'seabios'].flatMap((name) => ['-L', join(root, 'usr/share', name)]);
  return {
    dir,
    qemu: [...run(one(root, 'usr/bin/qemu-system-x86_64')), ...firmware],
    virtiofsd: run(one(join(dir, 'files'), 'usr/lib/qemu/virtiofsd')),
    kernel: one(join(dir, 'kernel'), 'boot/vmlinuz-*'),
    initrd: join(dir, 'initrd'),
  };
}

/** Two that begin at once do not meet, and what is broken off is not taken for whole. */
function makeBeside(dir: string, say: (line: string) => void): void {
  const fresh = `${dir}.${process.pid}`;
  try {
    make(fresh, say);
    rmSync(dir, { recursive: true, force: true });
    renameSync(fresh, dir);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function make(dir: string, say: (line: string) => void): void {
  for (const sub of ['apt/sources', 'apt/lists/partial', 'apt/archives/partial', 'root', 'kernel', 'files']) {
    mkdirSync(join(dir, sub), { recursive: true });
  }
  const apt = aptOf(dir);
  say('fetching the lists of packages');
  apt(['update']);
  say('fetching QEMU and the kernel');
  apt(['install', '--download-only', '--no-install-recommends', '-t', SUITE, 'qemu-system-x86', 'kmod']);
  const fetch = (name: string) => apt(['download', name]);
  for (const name of ['busybox-static', 'kmod']) fetch(name);
  for (const deb of globSync(join(dir, 'apt/archives/*.deb'))) unpack(deb, join(dir, 'root'));
  fetch('qemu-system-common/bookworm');
  fetch(imageOf(dir));
  unpack(one(dir, 'apt/archives/qemu-system-common_*7.2*.deb'), join(dir, 'files'));
  unpack(one(dir, 'apt/archives/linux-image-*.deb'), join(dir, 'kernel'));
  say('making the initial file system');
  writeModprobe(dir);
  makeInitrd(dir);
  rmSync(join(dir, 'apt'), { recursive: true });
  writeFileSync(join(dir, 'ready'), '');
}

/** apt with the machine's own sources and the backports beside them, and with lists and archives of our own. */
function aptOf(dir: string) {
  const sources = join(dir, 'apt/sources');
  for (const name of globSync('*.{sources,list}', { cwd: '/etc/apt/sources.list.d' }))
    copyFileSync(join('/etc/apt/sources.list.d', name), join(sources, name));
  writeFileSync(join(sources, 'kernel-vm.list'), `deb ${debianUri()} ${SUITE} main\n`);
  const options = aptOptions(dir);
  return (args: readonly string[]): string => command('apt-get', [...options, '-qq', '-y', ...args], archives(dir));
}

function archives(dir: string): string {
  return join(dir, 'apt/archives');
}

function aptOptions(dir: string): string[] {
  const settings = {
    'Dir::Etc::sourceparts': join(dir, 'apt/sources'),
    'Dir::State::lists': join(dir, 'apt/lists'),
    'Dir::Cache::archives': archives(dir),
    'APT::Sandbox::User': 'root',
    'Acquire::Retries': '2',
    // The options of a source that is named without its key: the machine's own key ring.
    'Acquire::Languages': 'none',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** Where the machine itself fetches Debian from. @throws NoMachine */
function debianUri(): string {
  const files = ['/etc/apt/sources.list', ...globSync('/etc/apt/sources.list.d/*.{sources,list}')].filter(existsSync);
  for (const file of files) {
    const found = /^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(\S+\/debian)\/?(?=\s|$)/m.exec(readFileSync(file, 'utf8'));
    if (found?.[1] !== undefined) return found[1];
  }
  throw new NoMachine('no source of Debian packages is configured for apt');
}

/** The package that the kernel's name stands for today. */
function imageOf(dir: string): string {
  const depends = command('apt-cache', [...aptOptions(dir), 'depends', KERNEL]);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new NoMachine(`apt knows no package ${KERNEL}`);
  return name;
}

function unpack(deb: string, into: string): void {
  command('dpkg', ['-x', deb, into]);
}

/** What the guest's kernel calls for a module that it lacks. */
function writeModprobe(dir: string): void {
  const path = join(dir, 'modprobe');
  const program = relative(dir, kmod(dir));
  const library = 'LD_LIBRARY_PATH="$here/root/usr/lib/x86_64-linux-gnu:$here/root/lib/x86_64-linux-gnu"';
  writeFileSync(path, `#!/bin/sh\nhere=$(dirname "$0")\n${library} exec "$here/${program}" "$@"\n`);
  chmodSync(path, 0o755);
}

function kmod(dir: string, name = 'modprobe'): string {
  return one(join(dir, 'root'), `{,usr/}sbin/${name}`);
}

/** An archive of busybox, the modules that are needed to reach the machine's files, and the first program. */
function makeInitrd(dir: string): void {
  const tree = join(dir, 'initrd.d');
  for (const sub of ['modules', 'dev', 'proc', 'lower', 'upper', 'root'])
    mkdirSync(join(tree, sub), { recursive: true });
  copyFileSync(one(join(dir, 'root'), '{,usr/}bin/busybox'), join(tree, 'busybox'));
  copyFileSync(join(import.meta.dirname, 'guest/init.sh'), join(tree, 'init'));
  for (const name of ['busybox', 'init']) chmodSync(join(tree, name), 0o755);
  for (const [i, file] of earlyModules(dir).entries()) {
    const target = join(tree, 'modules', `${String(i).padStart(2, '0')}.ko`);
    if (file.endsWith('.xz')) command('sh', ['-c', 'xz -dc "$1" >"$2"', 'sh', file, target]);
    else copyFileSync(file, target);
  }
  const archive = `find . | ${join(dir, 'root/bin/busybox')} cpio -o -H newc 2>/dev/null >../initrd`;
  command('sh', ['-c', archive], tree);
}

/** In the order in which they must be loaded. */
function earlyModules(dir: string): string[] {
  const kernel = join(dir, 'kernel');
  const [version] = readdirSync(join(kernel, 'lib/modules'));
  if (version === undefined) throw new NoMachine('the kernel package holds no modules');
  command(kmod(dir, 'depmod'), ['-b', kernel, version]);
  const needs = EARLY_MODULES.map((name) => command(kmod(dir), ['-d', kernel, '-S', version, '-D', name])).join('\n');
  return [...new Set([...needs.matchAll(/^insmod (\S+)/gm)].map(([, file]) => file ?? ''))];
}

function one(dir: string, pattern: string): string {
  const [found] = globSync(pattern, { cwd: dir });
  if (found === undefined) throw new NoMachine(`the packages hold no ${pattern}`);
  return join(dir, found);
}

/** @throws NoMachine with the command and the last line of what it said. */
function command(name: string, args: readonly string[], cwd?: string): string {
  const { status, stdout, stderr, error } = spawnSync(name, args, {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (status === 0) return stdout;
  const why = error?.message ?? stderr.trim().split('\n').at(-1) ?? `status ${status}`;
  const verb = args.find((arg) => /^[a-z]+$/.test(arg)) ?? '';
  throw new NoMachine(`\`${name} ${verb}\` failed: ${why}`);
}
