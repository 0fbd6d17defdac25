/** BIRD's life on a lab's nodes: who starts it, what it outlives, and that no packet is lost over it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, labPids, leftovers, type TestLab, testLab } from '#test/support/lab.ts';
import {
  agentSpeaks,
  birdPid,
  isUp,
  losesNothing,
  neverWithout,
  noBgpLab,
  onNode,
  sessions,
  startPod,
  whenUp,
} from './support.ts';

const skip = noBgpLab;
const MESH = { node1: ['Mesh_192_168_1_102'], node2: ['Mesh_192_168_1_101'] };

test('BIRD and agent are killed and come back, and not one packet is lost', { skip }, async (t) => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-bgp');
  await startPod(lab, 'a', 'node1');
  const to = await startPod(lab, 'b', 'node2');
  const pidOf = (node: string) => birdPid(lab, node) ?? assert.fail(`no BIRD on ${node}`);

  for (const node of ['node1', 'node2'] as const) {
    await t.test(`kill -9 of BIRD on ${node}`, () =>
      losesNothing(lab, 'a', to, async () => {
        const before = pidOf(node);
        process.kill(before, 'SIGKILL');
        await eventually('another one runs', async () => {
          const now = birdPid(lab, node);
          return now !== undefined && now !== before ? true : undefined;
        });
        await whenUp(lab, node, MESH[node]);
      }),
    );
    await t.test(`BIRD on ${node} ends in graceful restart`, () =>
      losesNothing(lab, 'a', to, async () => {
        const before = pidOf(node);
        await onNode(lab, node, `birdc -s /run/polder/lab/${lab.name}/${node}/bird.ctl graceful restart`);
        await eventually('another one runs', async () => {
          const now = birdPid(lab, node);
          return now !== undefined && now !== before ? true : undefined;
        });
        await whenUp(lab, node, MESH[node]);
      }),
    );
  }

  await t.test('kill -9 of the agent: BIRD goes on, and the next agent finds it', () =>
    losesNothing(lab, 'a', to, async () => {
      const [bird, [session]] = [pidOf('node1'), await sessions(lab, 'node1')];
      const agent = (await lab.status()).programs.find(({ id }) => id === 'node1/agent')?.pid;
      assert.ok(agent);
      process.kill(agent, 'SIGKILL');
      await eventually('the next agent has found it', async () => {
        const now = (await lab.status()).programs.find(({ id }) => id === 'node1/agent')?.pid;
        return now !== undefined && now !== agent && (await agentSpeaks(lab, 'node1')) ? true : undefined;
      });
      assert.equal(pidOf('node1'), bird);
      const [now] = await sessions(lab, 'node1');
      assert.ok(now && session && isUp(now));
      assert.equal(now.since.slice(0, 22), session.since.slice(0, 22));
    }),
  );

  await t.test('the agent speaks on for the same daemon: a change is loaded softly', async () => {
    const bird = pidOf('node1');
    await lab.kubectl(`cat << 'EOF' | kubectl apply -f -\n${configuration({ asNumber: 65_001 })}EOF`);
    await eventually('both have the new AS number', async () => {
      const all = (await Promise.all(['node1', 'node2'].map((node) => sessions(lab, node)))).flat();
      return all.length === 2 && all.every((each) => isUp(each) && each.bgp?.localAs === 65_001) ? true : undefined;
    });
    assert.equal(pidOf('node1'), bird);
    await eventually('its routes are back', async () =>
      (await onNode(lab, 'node1', 'ip route show proto bird')).includes('via 192.168.1.102') ? true : undefined,
    );
    await lab.kubectl(`cat << 'EOF' | kubectl apply -f -\n${configuration({ nodeToNodeMeshEnabled: false })}EOF`);
    await eventually('nobody is spoken with, and nothing heard is left', async () => {
      const routes = await onNode(lab, 'node1', 'ip route show proto bird');
      return routes === '' && (await sessions(lab, 'node1')).length === 0 ? true : undefined;
    });
    assert.equal(pidOf('node1'), bird);
  });
});

/** The block of the other one of two nodes, as that one has it. */
async function blockBeside(lab: TestLab, node: string): Promise<string> {
  const said = await onNode(lab, node === 'node1' ? 'node2' : 'node1', 'ip -4 route show type blackhole');
  return /^blackhole (\S+)/.exec(said)?.[1] ?? assert.fail(`no block: ${said}`);
}

function configuration(spec: object): string {
  const object = { apiVersion: 'projectcalico.org/v3', kind: 'BGPConfiguration', metadata: { name: 'default' }, spec };
  return `${JSON.stringify(object)}\n`;
}

test('a node that comes and goes takes its BIRD along; lab down leaves none', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-bgp');
  await lab.must('node', 'add', 'node3');
  await whenUp(lab, 'node1', ['Mesh_192_168_1_102', 'Mesh_192_168_1_103']);
  await lab.must('node', 'stop', 'node3');
  assert.equal(birdPid(lab, 'node3'), undefined);
  await lab.must('node', 'start', 'node3');
  await whenUp(lab, 'node3', ['Mesh_192_168_1_101', 'Mesh_192_168_1_102']);
  await lab.must('node', 'remove', '-y', 'node3');
  await whenUp(lab, 'node1', ['Mesh_192_168_1_102']);
  assert.equal(birdPid(lab, 'node3'), undefined);
  for (const pid of labPids(lab.name)) process.kill(pid, 'SIGKILL');
  await lab.must('up');
  await whenUp(lab, 'node1', ['Mesh_192_168_1_102']);
  assert.ok(birdPid(lab, 'node1'));
  await lab.must('verify');
  await lab.must('down', '-y');
  assert.deepEqual(leftovers(lab.name), []);
});

for (const profile of ['calico-bgp', 'calico-ipip'] as const) {
  test(`${profile}: a pool goes over to VXLAN and back: a way leads to each block at every moment, and one stays`, {
    skip,
  }, async () => {
    await using lab = await testLab('up', '--nodes', '2', '--profile', profile);
    await startPod(lab, 'a', 'node1');
    const to = await startPod(lab, 'b', 'node2');
    const own = profile === 'calico-ipip' ? 'dev tunl0' : 'dev eth0';
    for (const node of ['node1', 'node2']) await goesBy(lab, node, own, true);
    for (const vxlan of [true, false]) {
      const [ipipMode, vxlanMode] = [
        !vxlan && profile === 'calico-ipip' ? 'Always' : 'Never',
        vxlan ? 'Always' : 'Never',
      ];
      const patch = JSON.stringify({ spec: { ipipMode, vxlanMode } });
      using _1 = neverWithout(lab, 'node1', await blockBeside(lab, 'node1'));
      using _2 = neverWithout(lab, 'node2', await blockBeside(lab, 'node2'));
      const change = async () => {
        await lab.kubectl(`kubectl patch ippool default-ipv4-ippool --type merge -p '${patch}'`);
        for (const node of ['node1', 'node2']) await goesBy(lab, node, vxlan ? 'dev vxlan.calico' : own, !vxlan);
      };
      // What stands in for IPIP may lose a packet or two as it comes or goes: there the ways alone are held.
      if (profile === 'calico-bgp') await losesNothing(lab, 'a', to, change);
      else await change();
      await lab.kubectl(`kubectl exec a -- ping -c 1 -W 1 ${to}`);
    }
  });
}

test('routes that become the agent’s, and BIRD’s again: a way at every moment, and BIRD goes and comes', {
  skip,
}, async () => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-bgp');
  for (const [name, node] of Object.entries({ a: 'node1', b: 'node2' })) await startPod(lab, name, node);
  for (const node of ['node1', 'node2']) await goesBy(lab, node, 'dev eth0', true);
  // A profile of the same pools and devices, whose routes the agent makes.
  for (const profile of ['calico-vxlan', 'calico-bgp']) {
    using _1 = neverWithout(lab, 'node1', await blockBeside(lab, 'node1'));
    using _2 = neverWithout(lab, 'node2', await blockBeside(lab, 'node2'));
    const patch = JSON.stringify({ data: { profile } });
    await lab.kubectl(`kubectl patch configmap polder-config -n kube-system --type merge -p '${patch}'`);
    const birds = profile === 'calico-bgp';
    for (const node of ['node1', 'node2']) {
      await goesBy(lab, node, 'dev eth0', birds);
      assert.equal(birdPid(lab, node) !== undefined, birds);
    }
  }
});

/** Waits until the one route to the other node's block is as it should be, and nothing stands behind it. */
async function goesBy(lab: TestLab, node: string, device: string, birds: boolean): Promise<true> {
  const block = await blockBeside(lab, node);
  return eventually(`${node} goes by ${device}`, async () => {
    const ways = (await onNode(lab, node, `ip route show exact ${block}`)).trim().split('\n');
    const [way = ''] = ways;
    return ways.length === 1 && way.includes(device) && way.includes('proto bird') === birds ? true : undefined;
  });
}

test('calico-ipip: tunl0 that somebody deletes comes back, and BIRD’s routes over it', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-ipip');
  await startPod(lab, 'a', 'node1');
  const to = await startPod(lab, 'b', 'node2');
  await goesBy(lab, 'node1', 'dev tunl0', true);
  // The kernel's own cannot be deleted, only what hangs on it.
  await onNode(lab, 'node1', 'ip link del tunl0 || ip link set tunl0 down');
  await goesBy(lab, 'node1', 'dev tunl0', true);
  await eventually('a reaches b again', async () =>
    (await lab.tryKubectl(`kubectl exec a -- ping -c 1 -W 1 ${to}`)).status === 0 ? true : undefined,
  );
});
