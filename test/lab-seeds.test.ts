/** What the seed documents' networks promise. What their readers type is in `transcripts/`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROFILE_NAMES, PROFILES } from '#spec/cluster.ts';
import { kernelHas } from '#sync/features.ts';
import { eventually, ipipStandIns, leftovers, type TestLab, testLab } from './support/lab.ts';
import { noKubectl, noLab, polder, ROOT, result, run, startPolder } from './support/polder.ts';

const skip = noLab() || noKubectl();

/** One command in a node, as `ssh NODE` would run it. */
async function onNode(lab: TestLab, node: string, line: string): Promise<string> {
  const ran = await polder(['lab', 'shell', '--name', lab.name, node, '--', 'sh', '-c', line]);
  assert.equal(ran.status, 0, `${line}: ${ran.stderr}`);
  return ran.stdout;
}

const DAEMON_SET = `apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: network-test
spec:
  selector:
    matchLabels:
      app: network-test
  template:
    metadata:
      labels:
        app: network-test
    spec:
      containers:
      - name: test
        image: busybox
        command: ["sleep", "3600"]
`;

// By IPIP they pass it inside packets of protocol 4. In host-gw the packets of the pods themselves pass eth0, as in the seed; in VXLAN they pass it wrapped in UDP.
const CAPTURES = [
  {
    profile: 'flannel-host-gw',
    filter: 'icmp',
    sees: (from: string, to: string) => `${from} > ${to}: ICMP echo request`,
  },
  {
    profile: 'vxlan',
    filter: 'udp port 4789',
    sees: (from: string, to: string) => `${from} > ${to}: ICMP echo request`,
  },
  {
    profile: 'calico-ipip',
    filter: 'ip proto 4',
    sees: (from: string, to: string) => `192.168.1.101 > 192.168.1.102: IP ${from} > ${to}: ICMP echo request`,
  },
] as const;

for (const { profile, filter, sees } of CAPTURES) {
  test(`experiment 4: a DaemonSet, ping across nodes, tcpdump on the node (${profile})`, { skip }, async () => {
    await using lab = await testLab('up', '--profile', profile);
    await lab.kubectl(`cat << 'EOF' | kubectl apply -f -\n${DAEMON_SET}EOF`);
    await lab.kubectl('kubectl rollout status ds/network-test --timeout=30s');
    await lab.kubectl('kubectl wait --for=condition=Ready pod -l app=network-test');
    const rows = (await lab.kubectl('kubectl get pods -l app=network-test -o wide --no-headers')).trim().split('\n');
    const pods = rows.map((row) => {
      const cells = row.split(/\s+/);
      return { name: cells[0] ?? '', ip: cells[5] ?? '', node: cells[6] ?? '' };
    });
    assert.deepEqual(pods.map(({ node }) => node).sort(), ['node1', 'node2', 'node3']);
    const from = pods.find(({ node }) => node === 'node1');
    const to = pods.find(({ node }) => node === 'node2');
    assert.ok(from && to);

    const capture = startPolder([
      'lab',
      'shell',
      '--name',
      lab.name,
      'node2',
      '--',
      'tcpdump',
      '-lnc',
      '6',
      '-i',
      'eth0',
      filter,
    ]);
    const captured = result(capture);
    await new Promise<void>((resolve) =>
      capture.stderr?.on('data', (data) => /listening/.test(`${data}`) && resolve()),
    );
    assert.match(
      await lab.kubectl(`kubectl exec ${from.name} -- ping -c 3 ${to.ip}`),
      /3 packets transmitted, 3 .*received/,
    );
    const { stdout } = await captured;
    assert.ok(stdout.includes(sees(from.ip, to.ip)), stdout);

    await lab.kubectl('kubectl delete ds network-test');
    // `sleep` as PID 1 ignores SIGTERM: they take the whole grace period, as anywhere.
    await eventually('its pods are going', async () => {
      const times = await lab.kubectl("kubectl get pods -o jsonpath='{.items[*].metadata.deletionTimestamp}'");
      return times.split(' ').filter(Boolean).length === pods.length ? true : undefined;
    });
  });
}

const noWireguard = 'this kernel has no WireGuard: its lab needs interfaces of kind wireguard';

for (const profile of PROFILE_NAMES) {
  const unable = PROFILES[profile].encryption === 'wireguard' && !skip && !kernelHas('wireguard') && noWireguard;
  test(`lab verify proves the model under ${profile}, and leaves nothing of its own`, {
    skip: skip || unable,
  }, async () => {
    const { pool } = PROFILES[profile];
    const far = pool.vxlan !== 'never' || pool.ipip !== 'never';
    await using lab = await testLab('up', '--profile', profile, '--subnets', far ? '2' : '1');
    const results = JSON.parse(await lab.must('verify', '--json')) as { id: string; ok: boolean; seen: string }[];
    const last = PROFILES[profile].attachment === 'routed' ? 'M8' : 'M9';
    const told = PROFILES[profile].distribution === 'bird' ? ['R4'] : [];
    assert.deepEqual(
      results.map(({ id }) => id),
      ['M1', 'M2', 'M3', 'M6', 'M7', last, ...told],
    );
    assert.ok(results.every(({ ok, seen }) => ok && seen !== ''));
    assert.doesNotMatch(await lab.kubectl('kubectl get pods,ns -A'), /polder-verify/);
  });
}

/** Of interfaces that come later, too (Documentation/networking/ip-sysctl.rst, rp_filter). */
const STRICT = 'for each in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 > $each; done';

for (const profile of PROFILE_NAMES) {
  for (const family of ['ipv6', 'dual'] as const) {
    const unable = PROFILES[profile].encryption === 'wireguard' && !skip && !kernelHas('wireguard') && noWireguard;
    const strict = family === 'dual' ? ', on nodes that check return paths strictly' : '';
    test(`lab verify proves the model under ${profile}, family ${family}${strict}`, {
      skip: skip || unable,
    }, async () => {
      // By the node's addresses alone there is no way into another subnet.
      const { pool, encryption } = PROFILES[profile];
      const far = pool.vxlan !== 'never' || encryption === 'wireguard';
      const shape = ['--nodes', '2', '--subnets', far ? '2' : '1'];
      await using lab = await testLab('up', '--profile', profile, '--family', family, ...shape);
      if (strict !== '') for (const node of ['node1', 'node2']) await onNode(lab, node, STRICT);
      const results = JSON.parse(await lab.must('verify', '--json')) as { id: string; ok: boolean; seen: string }[];
      assert.deepEqual(
        results.filter(({ ok }) => !ok),
        [],
      );
      const ips = family === 'dual' ? /12 ways/ : /6 ways .*: fd00:10:244:/;
      assert.match(results.find(({ id }) => id === 'M2')?.seen ?? '', ips);
    });
  }
}

test('wireguardEnabled by felixconfiguration default: encrypted, or the missing feature named', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-vxlan');
  await lab.kubectl('kubectl run web --image=nginx && kubectl wait --for=condition=Ready pod/web --timeout=30s');
  const line = `kubectl patch felixconfiguration default --type='merge' -p '{"spec":{"wireguardEnabled":true}}'`;
  assert.match(await lab.kubectl(line), /felixconfiguration\.\S+\/default patched/);
  const status = await eventually('the nodes have heard it', async () => {
    const ran = await polder(['wireguard', 'status', '--name', lab.name]);
    assert.equal(ran.status, 0, ran.stderr);
    return /no WireGuard|node1 +node2 +IPv4/.test(ran.stdout) ? ran.stdout : undefined;
  });
  if (kernelHas('wireguard')) return assert.match(status, /node2 +node1 +IPv4/);
  assert.match(status, /The kernel of node node1 has no WireGuard, .*CONFIG_WIREGUARD/);
  assert.match(status, /Pods spoken to unencrypted: .*default\/web/);
  const refused = await polder(['lab', 'up', '--name', `${lab.name}w`, '--profile', 'wireguard']);
  assert.match(refused.stderr, /interfaces of kind wireguard/);
});

test('a pool that changes from IPIP to VXLAN and back takes its pods along, and leaves nothing of the other way', {
  skip,
}, async () => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-ipip');
  const pod = (name: string, node: string) =>
    `kubectl run ${name} --image=busybox --restart=Never --overrides='{"spec":{"nodeName":"${node}"}}' -- sleep 3600`;
  await lab.kubectl(`${pod('a', 'node1')} && ${pod('b', 'node2')}`);
  await lab.kubectl('kubectl wait --for=condition=Ready pod/a pod/b --timeout=30s');
  const to = (await lab.kubectl("kubectl get pod b -o jsonpath='{.status.podIP}'")).trim();
  const listen = `kubectl exec b -- sh -c 'sleep 4 | nc -l -p 7777 > /tmp/heard' & sleep 0.5;`;
  assert.match(await lab.kubectl(`kubectl exec a -- ping -c 1 ${to}`), / 0% packet loss/);
  for (const [ipip, vxlan, present, absent] of [
    ['Never', 'Always', 'vxlan.calico', 'tunl0'],
    ['Always', 'Never', 'tunl0', 'vxlan.calico'],
  ]) {
    const patch = `{"spec":{"ipipMode":"${ipip}","vxlanMode":"${vxlan}"}}`;
    // One connection that lives through the change.
    const change = `kubectl patch ippool default-ipv4-ippool --type merge -p '${patch}' >/dev/null`;
    const talk = `(echo before; ${change}; sleep 1; echo after) | kubectl exec -i a -- timeout 10 nc ${to} 7777; wait`;
    await lab.kubectl(`${listen} ${talk}`);
    assert.equal(await lab.kubectl('kubectl exec b -- cat /tmp/heard'), 'before\nafter\n');
    for (const node of ['node1', 'node2']) {
      await eventually(`${node} goes by ${present}`, async () => {
        const seen = await onNode(lab, node, 'ip route; ip -br link');
        const stray = seen.includes(absent ?? '') || (present !== 'tunl0' && ipipStandIns(lab, node).length > 0);
        return seen.includes(`dev ${present} proto`) && !stray ? true : undefined;
      });
    }
    assert.match(await lab.kubectl(`kubectl exec a -- ping -c 1 ${to}`), / 0% packet loss/);
  }
});

test('a machine with cgroup v2 alone runs the same lab', { skip }, async () => {
  await using lab = await testLab();
  // All in mounts of its own, so that nobody sees another hierarchy; the named namespaces are seen only there, too.
  const command = `${process.execPath} --disable-warning=ExperimentalWarning ${ROOT}/src/cmd/polder.ts lab`;
  const script = `mount --make-rprivate / && umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 99
    ${command} up --nodes 1 --name ${lab.name} && ${command} verify --name ${lab.name}
    status=$?
    ${command} down -y --name ${lab.name} && exit $status`;
  const ran = await run('unshare', ['--mount', 'sh', '-c', script]);
  assert.equal(ran.status, 0, `${ran.stdout}\n${ran.stderr}`);
  assert.match(ran.stdout, /^ok {4}M6/m);
  assert.deepEqual(leftovers(lab.name), []);
});

test('lab verify says what does not hold, and its status says it too', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '2');
  // Pods of node2 can no longer be reached from elsewhere.
  await onNode(
    lab,
    'node2',
    'nft add table ip broken && nft add chain ip broken forward "{ type filter hook forward priority 0; policy drop; }"',
  );
  const ran = await lab.run('verify');
  assert.equal(ran.status, 1, ran.stderr);
  assert.match(ran.stdout, /^FAIL {2}M2 {2}10\.244\.\d\.\d+ on node\d -> /m);
  assert.match(ran.stdout, /^ok {4}M1/m);
});

test('a cluster file makes the nodes that it names, labelled and tainted', { skip }, async () => {
  const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
  const dir = mkdtempSync('/tmp/polder-');
  try {
    writeFileSync(
      `${dir}/c.yaml`,
      'clusterCIDR: 10.50.0.0/16\nsubnets: 2\nnodes:\n- name: a\n  labels: { disk: ssd }\n- name: b\n  subnet: 2\n  taints: [{ key: only, value: db, effect: NoSchedule }]\n',
    );
    await using lab = await testLab('up', '--file', `${dir}/c.yaml`);
    await lab.kubectl(
      'kubectl run x --image=busybox --command -- sleep 600 && kubectl wait --for=condition=Ready pod/x --timeout=30s',
    );
    assert.match(await lab.kubectl('kubectl get pod x -o wide'), /10\.50\.\d+\.\d+ +a /);
    assert.match(await lab.kubectl('kubectl get nodes -l disk=ssd -o name'), /^node\/a\n$/);
    assert.match(await lab.kubectl('kubectl get node b -o wide'), /192\.168\.2\.102/);
    assert.match(await lab.must('verify'), /M2 .*across nodes/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
