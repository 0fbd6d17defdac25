/** Labs whose nodes speak BGP: their BIRDs, and packets that are counted. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connectBird } from '#kernel/bird/control.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { watchNetlink } from '#kernel/netlink/watch.ts';
import { openNetns } from '#kernel/netns/netns.ts';
import { noBird } from '#kernel/testing/bird.ts';
import { askAgent } from '#lab/agent-client.ts';
import { labPaths, nodeNetns, nodePaths } from '#lab/names.ts';
import { eventually, labPids, type TestLab } from '#test/support/lab.ts';
import { noKubectl, noLab, polder } from '#test/support/polder.ts';
import { type ProtocolState, readProtocols } from '#wire/bird/show-protocols.ts';
import { asPathOf, type BirdRoute, readRoutes } from '#wire/bird/show-routes.ts';
import { readStatus } from '#wire/bird/show-status.ts';

/** For the `skip` option of `node:test`. */
export const noBgpLab = noLab() || noKubectl() || noBird;

export function birdSocket(lab: TestLab, node: string): string {
  return nodePaths(labPaths(lab.name), node).birdSocket;
}

/** Process id of a node's BIRD; undefined if none runs. */
export function birdPid(lab: TestLab, node: string): number | undefined {
  const socket = birdSocket(lab, node);
  const found = labPids(lab.name).filter((pid) => commandOf(pid).includes(socket));
  assert.ok(found.length <= 1, `${node} has ${found.length} BIRDs`);
  return found[0];
}

function commandOf(pid: number): string[] {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words[0] === 'bird' ? words : [];
  } catch {
    return []; // it has just ended
  }
}

/** What a node's BIRD says of its sessions; none if it does not run. */
export async function sessions(lab: TestLab, node: string): Promise<ProtocolState[]> {
  using control = await connectBird(birdSocket(lab, node));
  const reply = await control?.ask('show protocols all');
  return reply ? readProtocols(reply).filter(({ kind }) => kind === 'BGP') : [];
}

export function isUp({ info }: ProtocolState): boolean {
  return /^Established/.test(info);
}

/** Whether a BIRD that was started again waits for its neighbours' routes. */
async function isRecovering(lab: TestLab, node: string): Promise<boolean> {
  using control = await connectBird(birdSocket(lab, node));
  return control === undefined || readStatus(await control.ask('show status')).gracefulRestart;
}

/** Waits until a node's sessions are just these, and all of them stand. */
export function whenUp(lab: TestLab, node: string, names: readonly string[]): Promise<ProtocolState[]> {
  return eventually(`${node} speaks with ${names.join(', ')}`, async () => {
    const all = await sessions(lab, node);
    if (!(await agentSpeaks(lab, node)) || (await isRecovering(lab, node))) return undefined;
    const same = JSON.stringify(all.map(({ name }) => name).sort()) === JSON.stringify([...names].sort());
    return same && all.every(isUp) ? all : undefined;
  });
}

/** A node's routes as BIRD has them. */
export async function birdRoutes(lab: TestLab, node: string): Promise<(BirdRoute & { readonly path: number[] })[]> {
  using control = await connectBird(birdSocket(lab, node));
  const reply = await control?.ask('show route all');
  return reply ? readRoutes(reply).map((route) => ({ ...route, path: asPathOf(route) })) : [];
}

/** Whether the node's agent has found its BIRD, which is as it should be. */
export async function agentSpeaks(lab: TestLab, node: string): Promise<boolean> {
  try {
    const said = (await askAgent(lab.name, node, 'GET', '/bgp')) as { running: boolean; settled: boolean };
    return said.running && said.settled;
  } catch {
    return false; // it does not answer yet
  }
}

/** One line in a node's shell. @returns standard output */
export async function onNode(lab: TestLab, node: string, line: string): Promise<string> {
  const ran = await polder(['lab', 'shell', '--name', lab.name, node, '--', 'sh', '-c', line]);
  assert.equal(ran.status, 0, `${line}: ${ran.stderr}`);
  return ran.stdout;
}

/** A pod with tools, on one node, and its address. */
export async function startPod(lab: TestLab, name: string, node: string): Promise<string> {
  const spec = { apiVersion: 'v1', spec: { nodeName: node } };
  await lab.kubectl(
    `kubectl run ${name} --image=nicolaka/netshoot --overrides='${JSON.stringify(spec)}' --command -- sleep 3600
     kubectl wait --for=condition=Ready pod/${name} --timeout=30s`,
  );
  return (await lab.kubectl(`kubectl get pod ${name} -o jsonpath='{.status.podIP}'`)).trim();
}

/** Packets every 5 ms from the pod `from` to the address, from before `act` until after it; none may be lost. */
export async function losesNothing(lab: TestLab, from: string, to: string, act: () => Promise<void>): Promise<void> {
  const file = '/tmp/flood';
  const flood = lab.kubectl(`kubectl exec ${from} -- sh -c 'ping -i 0.005 ${to} > ${file}'`).catch(() => '');
  await eventually('packets flow', async () =>
    (await lab.tryKubectl(`kubectl exec ${from} -- grep -c ttl= ${file}`)).status === 0 ? true : undefined,
  );
  await act();
  await lab.kubectl(`kubectl exec ${from} -- pkill -INT ping`);
  await flood;
  const text = await lab.kubectl(`kubectl exec ${from} -- cat ${file}`);
  const [, sent, heard] = /(\d+) packets transmitted, (\d+) received/.exec(text) ?? [];
  assert.ok(Number(sent) > 100, `${sent} packets were sent`);
  assert.equal(heard, sent, text.slice(-400));
}

/** Follows the kernel's word of a node's routes to a network until it is disposed; then there must always have been one. */
export function neverWithout(lab: TestLab, node: string, network: string): Disposable {
  const netns = openNetns({ name: nodeNetns(lab.name, node) });
  const seen: string[] = [];
  // Another one of the same metric takes its place.
  const metrics = new Set<number>();
  const watch = watchNetlink(
    ['route'],
    (event) => {
      if (event.event !== 'route' || event.route.to !== network) return;
      const { metric = 0, protocol, hops } = event.route;
      if (event.gone) metrics.delete(metric);
      else metrics.add(metric);
      seen.push(`${event.gone ? '-' : '+'} ${metric} proto ${protocol} dev ${hops[0]?.link}: ${metrics.size}`);
    },
    { netnsFd: netns.fd },
  );
  using netlink = openNetlink(netns.fd);
  for (const { to, metric = 0 } of netlink.routes()) if (to === network) metrics.add(metric);
  const end = () => {
    watch[Symbol.dispose]();
    netns.close();
  };
  if (metrics.size === 0) {
    end();
    assert.fail(`${node} has no route to ${network}`);
  }
  return {
    [Symbol.dispose]: () => {
      end();
      assert.ok(
        seen.every((each) => !each.endsWith(': 0')),
        `${node} was without a route to ${network}:\n${seen.join('\n')}`,
      );
    },
  };
}
