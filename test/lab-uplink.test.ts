/**
 * The uplink, on a machine of its own: a namespace plays the machine, another one the world that it reaches. The real
 * machine's network has no part in it.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inNetns } from '#kernel/netns/enter.ts';
import { createNetns, deleteNetns } from '#kernel/netns/named.ts';
import { type Netns, namedNetnsPath } from '#kernel/netns/netns.ts';
import { readSysctl } from '#kernel/sysctl.ts';
import { labPaths } from '#lab/names.ts';
import { leftovers, machineNetwork } from './support/lab.ts';
import { noLab, type Ran, result, sh, startPolder } from './support/polder.ts';

const LAB = `up${process.pid}`;
const MACHINE = `pt-machine-${process.pid}`;
const WORLD = `pt-world-${process.pid}`;

/** Two namespaces joined by a wire: 198.51.100.1 is the machine, 198.51.100.2 the world (RFC 5737). */
async function makeMachine(): Promise<Netns> {
  const machine = createNetns(MACHINE);
  createNetns(WORLD).close();
  const wired = await sh(`set -e
    ip -n ${MACHINE} link set lo up
    ip -n ${WORLD} link set lo up
    ip -n ${MACHINE} link add name eth0 type veth peer name eth0 netns ${WORLD}
    ip -n ${MACHINE} addr add 198.51.100.1/24 dev eth0
    ip -n ${WORLD} addr add 198.51.100.2/24 dev eth0
    ip -n ${MACHINE} link set eth0 up
    ip -n ${WORLD} link set eth0 up`);
  assert.equal(wired.status, 0, wired.stderr);
  return machine;
}

/** `polder lab …` as a program of that machine. */
function lab(machine: Netns, ...args: string[]): Promise<Ran> {
  return result(inNetns(machine, () => startPolder(['lab', ...args, '--name', LAB, '-y'])));
}

function on(netns: string, line: string): Promise<Ran> {
  return sh(`nsenter --net=${namedNetnsPath(netns)} sh -c '${line}'`, { KUBECONFIG: labPaths(LAB).kubeconfig });
}

async function seen(netns: string, line: string): Promise<string> {
  const ran = await on(netns, line);
  assert.equal(ran.status, 0, `${line}: ${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

test('lab up --uplink lets pods out, lets nothing in, and lab down takes all of it back', {
  skip: noLab(),
}, async () => {
  const before = machineNetwork();
  const machine = await makeMachine();
  try {
    const rules = await seen(MACHINE, 'nft list ruleset; ip -4 -o addr; ip -o route');
    const up = await lab(machine, 'up', '--nodes', '1', '--uplink');
    assert.equal(up.status, 0, up.stderr);
    assert.match(up.stdout, /It has an uplink/);
    await seen(MACHINE, 'kubectl run p --image=busybox --restart=Never --command -- sleep 600');
    await seen(MACHINE, 'kubectl wait --for=condition=Ready pod/p --timeout=60s');
    await seen(MACHINE, 'kubectl exec p -- ping -c 1 -W 3 198.51.100.2');
    await seen(WORLD, 'ip route add default via 198.51.100.1');
    const inside = /inet (169\.254\.\S+)\//.exec(await seen(`${LAB}.underlay`, 'ip -o -4 addr show dev uplink'))?.[1];
    assert.ok(inside);
    await seen(MACHINE, `ping -c 1 -W 3 ${inside}`);
    const into = await on(WORLD, `ping -c 1 -W 1 ${inside}`);
    assert.notEqual(into.status, 0, 'the world must not begin anything with the lab');
    const again = await lab(machine, 'up', '--uplink');
    assert.equal(again.status, 0, again.stderr);
    assert.equal((await lab(machine, 'down')).status, 0);
    assert.equal(await seen(MACHINE, 'nft list ruleset; ip -4 -o addr; ip -o route'), rules);
    assert.equal(readSysctl('net.ipv4.ip_forward', machine), '0');
    assert.deepEqual(leftovers(LAB), []);
  } finally {
    await lab(machine, 'down');
    machine.close();
    for (const name of [MACHINE, WORLD]) deleteNetns(name);
  }
  assert.equal(machineNetwork(), before);
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(LAB));
});
