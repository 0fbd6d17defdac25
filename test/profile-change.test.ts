/** A running lab changes its profile: what its pods say to one another meanwhile, and what is left of the old way. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasTcx } from '#kernel/bpf/tcx.ts';
import { kernelHas } from '#sync/features.ts';
import { losesNothing, noBgpLab, onNode, startPod } from '#test/bgp/support.ts';
import { eventually, ipipStandIns, type TestLab, testLab } from '#test/support/lab.ts';
import { noKubectl, noLab, polder, type Ran, result, startPolder } from '#test/support/polder.ts';

const skip = noLab() || noKubectl();
const NODES = ['node1', 'node2'] as const;

function set(lab: TestLab, profile: string, ...more: string[]): Promise<Ran> {
  return polder(['profile', 'set', profile, '--name', lab.name, ...more]);
}

async function changed(lab: TestLab, profile: string): Promise<void> {
  const ran = await set(lab, profile);
  assert.equal(ran.status, 0, `${ran.stdout}\n${ran.stderr}`);
}

/** Who is `done`, of `polder profile show`. */
async function states(lab: TestLab): Promise<string[]> {
  const { stdout } = await polder(['profile', 'show', '--name', lab.name, '-o', 'json']);
  const { nodes } = JSON.parse(stdout) as { nodes: { node: string; state: string }[] };
  return nodes.map(({ node, state }) => `${node} ${state}`);
}

const allDone = NODES.map((node) => `${node} done`);

async function whenDone(lab: TestLab): Promise<void> {
  await eventually('every node has changed', async () =>
    (await states(lab)).join() === allDone.join() ? true : undefined,
  );
}

async function agentOf(lab: TestLab, node: string): Promise<number> {
  return (
    (await lab.status()).programs.find(({ id }) => id === `${node}/agent`)?.pid ?? assert.fail(`no agent on ${node}`)
  );
}

/** Lines with numbers go from a to b over one TCP connection until told to stop; what has arrived is compared with what was sent. */
async function talking(lab: TestLab, act: () => Promise<void>): Promise<void> {
  const to = (await lab.kubectl("kubectl get pod b -o jsonpath='{.status.podIP}'")).trim();
  await lab.kubectl('kubectl exec a -- rm -f /tmp/stop /tmp/sent');
  const heard = lab.tryKubectl("kubectl exec b -- sh -c 'nc -l -p 7777 > /tmp/heard'");
  await eventually('b listens', async () =>
    (await lab.tryKubectl("kubectl exec b -- sh -c 'grep -q :1E61 /proc/net/tcp /proc/net/tcp6'")).status === 0
      ? true
      : undefined,
  );
  const count = 'i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo $i; sleep 0.02; done';
  const said = lab.tryKubectl(`kubectl exec a -- sh -c '(${count}) | tee /tmp/sent | nc ${to} 7777'`);
  await eventually('the first lines are there', async () =>
    (await lab.tryKubectl('kubectl exec b -- grep -qx 5 /tmp/heard')).status === 0 ? true : undefined,
  );
  await act();
  await lab.kubectl('kubectl exec a -- touch /tmp/stop');
  await eventually('the last line has arrived', async () => {
    const [sent, got] = await Promise.all([
      lab.kubectl('kubectl exec a -- cat /tmp/sent'),
      lab.kubectl('kubectl exec b -- cat /tmp/heard'),
    ]);
    assert.ok(sent.startsWith(got), 'nothing is missing, doubled or out of order');
    return sent === got && sent.split('\n').length > 20 ? true : undefined;
  });
  // The nc of BusyBox does not end by itself.
  await lab.kubectl('kubectl exec a -- pkill nc');
  await Promise.all([said, lab.tryKubectl('kubectl exec b -- pkill nc'), heard]);
}

/** What of each way stands on a node; a profile leaves only its own. */
const TRACES = {
  'calico-vxlan': /vxlan\.calico/,
  'calico-ipip': /tunl0@|tunl0:.*UP|stands in/,
  'calico-bgp': /dev eth0 proto bird/,
} as const;
type Name = keyof typeof TRACES;

async function onlyTracesOf(lab: TestLab, profile: Name): Promise<void> {
  const look = 'ip -d link; ip route show table all; bridge fdb show; ip neigh';
  for (const node of NODES) {
    await eventually(`${node} has only ${profile}`, async () => {
      const standIns = ipipStandIns(lab, node).map((link) => `something stands in for IPIP on ${link}`);
      const seen = [await onNode(lab, node, look), ...standIns].join('\n');
      const names = (Object.keys(TRACES) as Name[]).filter((name) => TRACES[name].test(seen));
      return names.join() === profile && !seen.includes('metric 4096') ? true : undefined;
    });
  }
}

async function through(lab: TestLab, profile: Name): Promise<void> {
  await changed(lab, profile);
  assert.deepEqual(await states(lab), allDone);
  await onlyTracesOf(lab, profile);
}

test('a connection lives through every change of profile, and nothing of the old way is left', {
  skip: skip || noBgpLab,
}, async () => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-vxlan');
  await startPod(lab, 'a', 'node1');
  const to = await startPod(lab, 'b', 'node2');
  const addresses = await lab.kubectl("kubectl get pods,nodes -A -o jsonpath='{..podIP}{..addresses}'");
  const around = async (...profiles: Name[]) => {
    for (const profile of profiles) await through(lab, profile);
  };
  await talking(lab, () => losesNothing(lab, 'a', to, () => around('calico-bgp', 'calico-vxlan')));
  const byIpip = () => around('calico-ipip', 'calico-bgp', 'calico-ipip', 'calico-vxlan');
  // Before Linux 6.6 the kernel drops what is sent in the milliseconds in which a stand-in for IPIP comes or goes.
  const quiet = kernelHas('ipip') || hasTcx();
  await talking(lab, () => (quiet ? losesNothing(lab, 'a', to, byIpip) : byIpip()));
  assert.equal(await lab.kubectl("kubectl get pods,nodes -A -o jsonpath='{..podIP}{..addresses}'"), addresses);
  await eventually('addresses of the old devices are given back', async () =>
    /IPIPTunnelAddr/.test(await lab.kubectl('kubectl get nodes -o yaml')) ? undefined : true,
  );
  assert.match((await polder(['ipam', 'check', '--name', lab.name])).stdout, /Nothing is wrong/);
  assert.match(await lab.must('verify'), /^ok {4}M8/m);
  assert.equal((await lab.run('up', '--profile', 'calico-vxlan')).status, 0, 'the lab knows its profile');
});

test('Flannel’s profiles change into one another under a connection', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'flannel-vxlan');
  await startPod(lab, 'a', 'node1');
  const to = await startPod(lab, 'b', 'node2');
  await talking(lab, () =>
    losesNothing(lab, 'a', to, async () => {
      for (const profile of ['flannel-host-gw', 'flannel-vxlan', 'flannel-host-gw']) await changed(lab, profile);
    }),
  );
  assert.doesNotMatch(await onNode(lab, 'node1', 'ip link; ip route; bridge fdb; ip neigh'), /flannel\.1/);
});

test('agents and the command are killed in the middle of it: the change ends all the same, and the connection lives', {
  skip,
}, async () => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-vxlan');
  await startPod(lab, 'a', 'node1');
  await startPod(lab, 'b', 'node2');
  await talking(lab, async () => {
    for (const [round, profile] of ['calico-ipip', 'calico-vxlan', 'calico-ipip', 'calico-vxlan'].entries()) {
      const command = startPolder(['profile', 'set', profile, '--name', lab.name]);
      const ended = result(command);
      // Each round at another instant: with the settings half written, written, and while the nodes are at it.
      await new Promise((resolve) => setTimeout(resolve, 200 + 150 * round));
      const victim = await agentOf(lab, NODES[round % 2] ?? 'node1');
      process.kill(victim, 'SIGKILL');
      command.kill('SIGKILL');
      await ended;
      await changed(lab, profile);
      await whenDone(lab);
    }
  });
});

test('a node whose agent is away is spoken to by the old way; the command says so, and it follows when it is back', {
  skip,
}, async () => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-vxlan');
  await startPod(lab, 'a', 'node1');
  await startPod(lab, 'b', 'node2');
  const agent = await agentOf(lab, 'node2');
  process.kill(agent, 'SIGSTOP');
  try {
    await talking(lab, async () => {
      const ran = await set(lab, 'calico-ipip', '--timeout', '5');
      assert.equal(ran.status, 92, ran.stderr);
      assert.match(ran.stderr, /Not all nodes go by the new profile yet: .*node2/);
      assert.match(await onNode(lab, 'node1', 'ip route'), /dev vxlan\.calico/);
      assert.match(await onNode(lab, 'node1', 'ip link'), /tunl0/, 'what takes the new way is there');
      process.kill(agent, 'SIGCONT');
      await whenDone(lab);
    });
  } finally {
    process.kill(agent, 'SIGCONT');
  }
  assert.doesNotMatch(await onNode(lab, 'node1', 'ip link; ip route'), /vxlan/);
});

test('profile set refuses what running pods cannot follow, and changes nothing', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '1');
  for (const [profile, status, why] of [
    ['flannel-vxlan', 90, /have a route each, those of flannel-vxlan hang on the bridge cni0/],
    ['calico-ipip', 90, /have addresses of node CIDRs, those of calico-ipip of IPPools/],
    ['calico-ipp', 2, /Did you mean "calico-ipip"/],
  ] as const) {
    const ran = await set(lab, profile);
    assert.equal(ran.status, status, ran.stderr);
    assert.match(ran.stderr, why);
  }
  assert.match((await polder(['profile', 'list', '--name', lab.name])).stdout, /^\* +vxlan +Calico VXLAN +-$/m);
  const { stdout } = await set(lab, 'vxlan', '--dry-run');
  assert.match(stdout, /profile vxlan as before\n {2}node1: vxlan -> vxlan/);
});
