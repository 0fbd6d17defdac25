/**
 * host-device by what names hardware: only the virtual machine has a card that nobody needs. It is in the machine's own
 * namespace, since sysfs tells of the devices of that alone.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { alone } from '#cni/testing/alone.ts';
import { noBed, pathOf } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { REFERENCE } from '#cni/testing/differential.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { openNetns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const inMachine = readFileSync('/proc/cmdline', 'utf8').includes('polder.job=');
const skip = noBed() || (inMachine ? false : 'only in the virtual machine: elsewhere the card would be somebody’s');

/** `0000:00:03.0`, `virtio1` below it, and the name of its interface. */
function card(): { pci: string; device: string; ifname: string } {
  const { stdout, stderr } = spawnSync(
    'sh',
    ['-c', 'modprobe virtio_net; ls -d /sys/bus/pci/devices/*/virtio*/net/*'],
    {
      encoding: 'utf8',
    },
  );
  const net = stdout.split('\n')[0];
  assert.ok(net, `the machine has a network card: ${stderr}`);
  const device = realpathSync(dirname(dirname(net)));
  return { pci: net.split('/')[5] ?? '', device, ifname: net.split('/').at(-1) ?? '' };
}

test('host-device finds a virtio card by its PCI address and its kernel path, as the reference does', {
  skip,
}, async (t) => {
  using machine = openNetns({ path: '/proc/1/ns/net' });
  using pod = scratchNetns();
  const { pci, device, ifname } = inNetns(machine, card);
  const a = alone(t, ['host-device'], 0);
  const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0' };
  const ways = [{ pciBusID: pci }, { kernelpath: device }, { runtimeConfig: { deviceID: pci } }];
  for (const way of ways) {
    const conf = { cniVersion: '1.0.0', name: 'net', type: 'host-device', ...way };
    const call = (command: string) => inNetns(machine, () => ({ said: a.cni('host-device', command, env, conf) })).said;
    const added = await call('ADD');
    assert.equal(added.exit, 0, `${JSON.stringify(way)}: ${added.stdout}`);
    assert.match(sh('ip -br link show dev eth0', pod), /UP|UNKNOWN/);
    assert.equal(
      inNetns(machine, () => existsSync(join('/sys/class/net', ifname))),
      false,
    );
    assert.equal((await call('DEL')).exit, 0);
    assert.match(sh('ip -br link', machine), new RegExp(`^${ifname} `, 'm'));
  }
  if (!existsSync(join(REFERENCE, 'host-device'))) return;
  const input = JSON.stringify({ cniVersion: '1.0.0', name: 'net', type: 'host-device', pciBusID: pci });
  const theirs = (command: string) =>
    inNetns(machine, () =>
      spawnSync(join(REFERENCE, 'host-device'), {
        input,
        env: { ...env, CNI_COMMAND: command, CNI_PATH: REFERENCE },
        encoding: 'utf8',
      }),
    );
  assert.equal(theirs('ADD').status, 0);
  assert.equal(theirs('DEL').status, 0);
});
