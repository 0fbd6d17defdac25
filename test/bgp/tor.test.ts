/** BGP with routers of three makes: each hears of the nodes' blocks and they of its network, and packets go that way. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { inNetns } from '#kernel/netns/enter.ts';
import { openNetns } from '#kernel/netns/netns.ts';
import {
  eventually,
  labNamespaces,
  labPids,
  leftovers,
  processesIn,
  type TestLab,
  testLab,
} from '#test/support/lab.ts';
import { polder, result } from '#test/support/polder.ts';
import { noBgpLab, onNode, startPod } from './support.ts';

const missing = !existsSync('/usr/lib/frr/bgpd') || spawnSync('gobgpd', ['--version']).error !== undefined;
const skip = noBgpLab || (missing && 'there is no FRR or no GoBGP: apt-get install frr gobgpd');

const MAKES = ['bird', 'frr', 'gobgp'] as const;
type Make = (typeof MAKES)[number];
/** What each announces. */
const NETWORKS = {
  bird: { 4: '203.0.113.0/26', 6: '2001:db8:113:1::/64', host6: '2001:db8:113:1::a' },
  frr: { 4: '203.0.113.64/26', 6: '2001:db8:113:2::/64', host6: '2001:db8:113:2::a' },
  gobgp: { 4: '203.0.113.128/26', 6: '2001:db8:113:3::/64', host6: '2001:db8:113:3::a' },
} as const;

/** Networks of pods that a router knows, asked by its own program. */
const HEARD: Readonly<Record<Make, (lab: TestLab, family: 4 | 6) => Promise<string[]>>> = {
  bird: async (lab, family) => {
    const line = `birdc -s ${dirOf(lab, 'bird')}/bird.ctl show route table master${family}`;
    return podNetworks((await inPlace(lab, 'tor.bird', line)).match(/^\S+\/\d+/gm) ?? []);
  },
  frr: async (lab, family) => {
    const line = `vtysh --vty_socket ${dirOf(lab, 'frr')} -c 'show bgp ipv${family} unicast json'`;
    const { routes } = JSON.parse(await inPlace(lab, 'tor.frr', line)) as { routes?: Record<string, unknown> };
    return podNetworks(Object.keys(routes ?? {}));
  },
  gobgp: async (lab, family) => {
    const rib = JSON.parse(await inPlace(lab, 'tor.gobgp', `gobgp global rib -a ipv${family} -j`)) as object;
    return podNetworks(Object.keys(rib));
  },
};

/** As `lab shell`, at once: a line in a namespace of the lab. @returns standard output */
async function inPlace(lab: TestLab, place: string, line: string): Promise<string> {
  using netns = openNetns({ name: `${lab.name}.${place}` });
  const ran = await result(inNetns(netns, () => spawn('sh', ['-c', line])));
  assert.equal(ran.status, 0, `${place}: ${line}: ${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

function dirOf(lab: TestLab, make: Make): string {
  return `/run/polder/lab/${lab.name}/tor.${make}`;
}

function podNetworks(all: readonly string[]): string[] {
  return [...new Set(all)].filter((net) => /^10\.244\.|^fd00:10:244:/.test(net)).sort();
}

/** Blocks that the cluster's nodes hold, IPv4 first: all, or those that the JSONPath filter names. */
async function blocks(lab: TestLab, which = '*'): Promise<string[]> {
  const line = `kubectl get ipamblocks -o jsonpath='{range .items[${which}]}{.spec.cidr}{"\\n"}{end}'`;
  return (await lab.kubectl(line)).trim().split('\n').sort();
}

async function bgp(lab: TestLab, ...args: string[]): Promise<string> {
  const ran = await polder(['bgp', ...args, '--name', lab.name]);
  assert.equal(ran.status, 0, ran.stderr);
  return ran.stdout;
}

test('BIRD, FRR and GoBGP beside the nodes: routes both ways, packets by them, and what is said of it', {
  skip,
}, async (t) => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-bgp', '--family', 'dual', '--tor');
  await startPod(lab, 'a', 'node1');
  await startPod(lab, 'b', 'node2');

  await t.test('each router hears the blocks of all nodes, whole, and no single pod', async () => {
    const wanted = await blocks(lab);
    assert.ok(wanted.length >= 4 && wanted.every((net) => /\/(26|122)$/.test(net)), wanted.join(' '));
    for (const make of MAKES) {
      await eventually(`${make} has heard`, async () => {
        const heard = [...(await HEARD[make](lab, 4)), ...(await HEARD[make](lab, 6))].sort();
        return JSON.stringify(heard) === JSON.stringify(wanted) ? true : undefined;
      });
    }
  });

  await t.test('each node hears each router’s network, and its kernel has it as `proto bird`', async () => {
    for (const node of ['node1', 'node2']) {
      await eventually(`${node} has heard`, async () => {
        const four = await inPlace(lab, node, 'ip route show proto bird');
        const six = await inPlace(lab, node, 'ip -6 route show proto bird');
        const all = MAKES.every((make) => four.includes(NETWORKS[make][4]) && six.includes(`${NETWORKS[make][6]} via`));
        return all ? true : undefined;
      });
    }
  });

  await t.test(
    'hosts behind BIRD and FRR reach pods by the routes that these have put into their kernels',
    async () => {
      for (const make of ['bird', 'frr'] as const) {
        const wanted = await blocks(lab);
        await eventually(`the kernel of ${make} has the routes`, async () => {
          const shown = await inPlace(lab, `tor.${make}`, 'ip route; ip -6 route');
          const has = (net: string) =>
            new RegExp(`^${net.replaceAll('.', '\\.')} .*via \\S+ dev eth0 proto (bird|bgp)`, 'm').test(shown);
          return wanted.every(has) ? true : undefined;
        });
        for (const pod of ['a', 'b']) {
          const ips = await lab.kubectl(`kubectl get pod ${pod} -o jsonpath='{.status.podIPs[*].ip}'`);
          for (const ip of ips.trim().split(' ')) {
            assert.match(await inPlace(lab, `tor.${make}.host`, `ping -c 1 -W 3 ${ip}`), / 0% packet loss/);
          }
        }
      }
    },
  );

  await t.test('a pod reaches the host behind a router', async () => {
    assert.match(await lab.kubectl('kubectl exec b -- ping -c 1 -W 3 203.0.113.10'), / 0% packet loss/);
    assert.match(await lab.kubectl(`kubectl exec b -- ping -c 1 -W 3 ${NETWORKS.frr.host6}`), / 0% packet loss/);
  });

  await t.test('GoBGP says what it hears and leaves its kernel alone', async () => {
    assert.doesNotMatch(await onNode(lab, 'tor.gobgp', 'ip route; ip -6 route'), /10\.244\.|fd00:10:244:/);
  });

  await t.test('`polder bgp status` shows the sessions with all of them', async () => {
    const text = await bgp(lab, 'status', '--node', 'node1');
    for (const last of ['11', '12', '13']) {
      assert.match(
        text,
        new RegExp(`^\\| 192\\.168\\.1\\.${last} +\\| global +\\| up +\\| \\S+ +\\| Established \\|$`, 'm'),
      );
      assert.match(
        text,
        new RegExp(`^\\| fd00:192:168:1::${last} +\\| global +\\| up +\\| \\S+ +\\| Established \\|$`, 'm'),
      );
    }
    assert.match(text, /^\| 192\.168\.1\.102 +\| node-to-node mesh \| up /m);
  });

  await t.test('`polder bgp routes` lists what was heard', async () => {
    const text = await bgp(lab, 'routes', '203.0.113.0/24', '--node', 'node2');
    assert.match(text, /^node2 +203\.0\.113\.64\/26 +\* +192\.168\.1\.12 dev eth0 +Global_192_168_1_12 +64602 /m);
    assert.equal(text.trim().split('\n').length, 4);
  });

  await t.test('`polder bgp why` says who is told of it, and which rule of which BGPFilter forbids it', async () => {
    const [block = ''] = await blocks(lab, '?(@.spec.affinity=="host:node2")');
    const before = await bgp(lab, 'why', block, '--node', 'node2');
    assert.match(before, /^ {5}192\.168\.1\.12 +global +yes +this node’s own network$/m);
    assert.match(await bgp(lab, 'why', '203.0.113.70', '--node', 'node1'), /^node1: 203\.0\.113\.64\/26, which is/);
    await lab.kubectl(`cat << 'EOF' | kubectl apply -f -
{"apiVersion": "projectcalico.org/v3", "kind": "BGPFilter", "metadata": {"name": "quiet"},
 "spec": {"exportV4": [{"action": "Reject", "matchOperator": "In", "cidr": "${block}"}]}}
EOF
kubectl patch bgppeer tor-frr --type=merge -p '{"spec": {"filters": ["quiet"]}}'`);
    await eventually('it is said of node2', async () => {
      const text = await bgp(lab, 'why', block, '--node', 'node2');
      return /^ {5}192\.168\.1\.12 +global +no +BGPFilter quiet, exportV4 rule 1$/m.test(text) ? true : undefined;
    });
    await eventually('FRR has it no more', async () => ((await HEARD.frr(lab, 4)).includes(block) ? undefined : true));
    assert.ok((await HEARD.gobgp(lab, 4)).includes(block));
  });

  await t.test('a router that is killed is started again, and hears all anew', async () => {
    for (const program of ['tor.frr/bgpd', 'tor.bird/bird', 'tor.gobgp/gobgpd']) await killed(lab, program);
    assert.match(await lab.must('logs', 'tor.gobgp/gobgpd'), /gobgpd started/);
    const wanted = (await blocks(lab)).filter((net) => net.startsWith('10.'));
    for (const make of ['bird', 'gobgp'] as const) {
      await eventually(`${make} has heard`, async () =>
        JSON.stringify(await HEARD[make](lab, 4)) === JSON.stringify(wanted) ? true : undefined,
      );
    }
  });

  await t.test('nothing of the routers is left', async () => {
    const namespaces = labNamespaces(lab.name);
    await lab.must('down', '-y');
    assert.deepEqual([leftovers(lab.name), labPids(lab.name), processesIn(namespaces)], [[], [], []]);
  });
});

async function killed(lab: TestLab, id: string): Promise<void> {
  const pidOf = async () => (await lab.status()).programs.find((program) => program.id === id)?.pid;
  const before = await pidOf();
  assert.ok(before, id);
  process.kill(before, 'SIGKILL');
  await eventually(`${id} runs again`, async () => {
    const now = await pidOf();
    return now !== undefined && now !== before ? true : undefined;
  });
}

test('over two subnets the router between them hears of the blocks, too, and pods reach one another by plain routes', {
  skip,
}, async () => {
  const shape = ['--nodes', '2', '--subnets', '2', '--family', 'dual', '--profile', 'calico-bgp'];
  await using lab = await testLab('up', ...shape, '--tor');
  await lab.must('verify');
  await startPod(lab, 'b', 'node2');
  const wanted = await blocks(lab, '?(@.spec.affinity=="host:node2")');
  const routes = (place: string) => inPlace(lab, place, 'ip route show proto bird; ip -6 route show proto bird');
  const [far, between] = [await routes('node1'), await routes('underlay')];
  for (const net of wanted) {
    const six = net.includes(':');
    assert.match(far, new RegExp(`^${net} via ${six ? 'fd00:192:168:1::1' : '192\\.168\\.1\\.1'} dev eth0`, 'm'));
    assert.match(
      between,
      new RegExp(`^${net} via ${six ? 'fd00:192:168:2::102' : '192\\.168\\.2\\.102'} dev br2`, 'm'),
    );
  }
  const ips = await lab.kubectl("kubectl get pod b -o jsonpath='{.status.podIPs[*].ip}'");
  for (const ip of ips.trim().split(' ')) {
    await eventually(`a host behind a router of the other subnet reaches ${ip}`, async () => {
      const ran = await polder(['lab', 'shell', '--name', lab.name, 'tor.frr.host', '--', 'ping', '-c1', '-W2', ip]);
      return ran.status === 0 ? true : undefined;
    });
  }
  const status = await bgp(lab, 'status', '--node', 'node2');
  assert.match(status, /^\| 192\.168\.1\.1 +\| global +\| up /m);
});

test('--tor is refused where nobody speaks BGP', { skip }, async () => {
  await using lab = await testLab();
  const ran = await lab.run('up', '--tor', '--profile', 'vxlan');
  assert.equal(ran.status, 2);
  assert.match(
    ran.stderr,
    /^error: Top-of-rack routers speak BGP, which profile vxlan does not: take .*calico-bgp.* for --tor\./,
  );
  assert.deepEqual(leftovers(lab.name), []);
});
