/** Boots the machine, lets it run one shell script and passes on what it prints. */

import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clockParameters } from './clock.ts';
import { NoMachine, type Parts } from './setup.ts';
import { runFolder, spawnTied } from './tied.ts';

/** Of the guest, MiB: half of it for files that are written. */
const MEMORY_MIB = 2048;
/** QEMU's own, for the code that it translates, and the server of files. */
const BESIDE_MIB = 768;
/** Emulated, everything takes some twenty times as long as outside. Milliseconds. */
const LIMIT_MS = 20 * 60_000;

export interface Job {
  /** Run by `sh`, as root, with the machine's files below it (what it writes to them is thrown away). */
  readonly script: string;
  readonly onOutput: (text: string) => void;
  /** Milliseconds after which the machine is stopped. */
  readonly limitMs?: number;
}

/** The script's exit status; undefined if the machine ended without telling one (a panic, the time limit). @throws NoMachine */
export async function boot(parts: Parts, { script, onOutput, limitMs = LIMIT_MS }: Job): Promise<number | undefined> {
  const dir = runFolder(parts.dir);
  const files: ChildProcess[] = [];
  try {
    writeFileSync(join(dir, 'job'), script);
    writeFileSync(join(dir, 'start'), readFileSync(join(import.meta.dirname, 'guest/start.sh')));
    files.push(await shareFiles(parts, dir));
    await emulate(parts, dir, onOutput, limitMs);
    const told = /^status=(\d+)/m.exec(readIfThere(join(dir, 'status')));
    return told ? Number(told[1]) : undefined;
  } finally {
    for (const child of files) child.kill();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Better no machine than one that the kernel kills in the middle. @throws NoMachine */
export function needMemory(): void {
  const free = Math.floor(process.availableMemory() / 2 ** 20);
  const need = MEMORY_MIB + BESIDE_MIB;
  if (free < need) throw new NoMachine(`it needs ${need} MiB of free memory, there are ${free}`);
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** The machine's own files, for reading. Resolves once its socket is there. */
async function shareFiles({ virtiofsd }: Parts, dir: string): Promise<ChildProcess> {
  const socket = join(dir, 'files.sock');
  const options = [`--socket-path=${socket}`, '-o', 'source=/', '-o', 'cache=always', '-o', 'sandbox=chroot'];
  const child = spawnTied([...virtiofsd, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.on('data', (text) => {
    said += text;
  });
  await new Promise<void>((resolve, reject) => {
    const watcher = watch(dir, () => {
      if (existsSync(socket)) done();
    });
    const done = (error?: Error) => {
      watcher.close();
      if (error) reject(error);
      else resolve();
    };
    child.on('error', done);
    child.on('exit', () => done(new NoMachine(`virtiofsd ended: ${said.trim().split('\n').at(-1)}`)));
    if (existsSync(socket)) done();
  });
  return child;
}

function emulate(parts: Parts, dir: string, onOutput: Job['onOutput'], limitMs: number): Promise<void> {
  const child = spawnTied([...parts.qemu, ...machine(parts, dir)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', onOutput);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Where the processor helps, else emulation: /dev/kvm alone proves nothing, a guest machine may have one that hangs. */
function acceleration(): string[] {
  const real = ['kvm_intel', 'kvm_amd'].some((name) => existsSync(`/sys/module/${name}`)) && existsSync('/dev/kvm');
  if (real) return ['-accel', 'kvm', '-cpu', 'host'];
  return ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max,la57=off'];
}

/** A socket that nobody has opened: QEMU warns of a card without any. */
function nowhere(dir: string): string {
  const end = (which: string, name: string) => `${which}.type=unix,${which}.path=${join(dir, name)}`;
  return `dgram,id=nowhere,${end('local', 'nowhere')},${end('remote', 'nobody')}`;
}

function machine({ kernel, initrd, dir: parts }: Parts, dir: string): string[] {
  const quick = 'quiet panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check rcupdate.rcu_expedited=1';
  const clock = clockParameters(parts).join(' ');
  const own = `polder.dir=${parts} polder.start=${join(dir, 'start')} polder.job=${join(dir, 'job')}`;
  return [
    ...['-M', 'q35', ...acceleration(), '-smp', '2', '-m', `${MEMORY_MIB}M`],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-object', `memory-backend-memfd,id=memory,size=${MEMORY_MIB}M,share=on`, '-numa', 'node,memdev=memory'],
    ...['-chardev', `socket,id=files,path=${join(dir, 'files.sock')}`],
    ...['-device', 'vhost-user-fs-pci,chardev=files,tag=hostroot'],
    // A network card that leads nowhere; without its driver until a test loads that.
    ...['-netdev', nowhere(dir), '-device', 'virtio-net-pci,netdev=nowhere,romfile='],
    ...['-serial', 'stdio', '-serial', `file:${join(dir, 'status')}`],
    ...['-kernel', kernel, '-initrd', initrd],
    ...['-append', `console=ttyS0 ${quick} ${clock} random.trust_cpu=on ${own}`],
  ];
}
