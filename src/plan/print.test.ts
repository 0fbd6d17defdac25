import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calcNodeState } from '#calc/routes/node-state.ts';
import { CLUSTERS, UNDERLAY } from '#calc/testing/clusters.ts';
import { diffAdditions } from '#plan/diff.ts';
import { printPlan } from '#plan/print.ts';
import { freshNode } from '#plan/testing/model.ts';
import { want } from '#plan/want.ts';

function dryRun(name: keyof typeof CLUSTERS): string {
  const outcome = calcNodeState(CLUSTERS[name], UNDERLAY);
  return outcome.kind === 'ready' ? printPlan(diffAdditions(want(outcome.state), freshNode()).ops) : '';
}

test('printPlan shows host-gw as an administrator would type it', () => {
  assert.equal(
    dryRun('flannel-host-gw'),
    `ip link add name cni0 address f6:26:b9:39:62:02 up type bridge && ip link set dev cni0 alias polder
ip link set dev cni0 mtu 1500
ip addr add 10.244.1.1/24 dev cni0
sysctl -w net.ipv4.ip_forward=1
nft 'add table inet polder; add chain inet polder postrouting { type nat hook postrouting priority 100; policy accept; }; add rule inet polder postrouting ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random comment "masquerade what leaves the pod network"'
ip route add 10.244.2.0/24 via 192.168.1.102 dev eth0 proto 77 scope global
ip route add 10.244.3.0/24 via 192.168.1.103 dev eth0 proto 77 scope global
`,
  );
});

test('printPlan shows VXLAN as an administrator would type it', () => {
  assert.equal(
    dryRun('vxlan'),
    `ip link add name vxlan.polder address 0e:75:01:19:93:52 mtu 1450 up type vxlan id 4096 dstport 4789 local 192.168.1.101 dev eth0 nolearning && ip link set dev vxlan.polder alias polder
ip addr add 10.244.1.0/32 dev vxlan.polder
sysctl -w net.ipv4.ip_forward=1
nft 'add table inet polder; add chain inet polder postrouting { type nat hook postrouting priority 100; policy accept; }; add rule inet polder postrouting ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random comment "masquerade what leaves the pod network"; add chain inet polder raw-prerouting { type filter hook prerouting priority -300; policy accept; }; add rule inet polder raw-prerouting ip daddr 192.168.1.101 udp dport 4789 notrack comment "outer packets of VXLAN are no connections"; add chain inet polder raw-output { type filter hook output priority -300; policy accept; }; add rule inet polder raw-output ip saddr 192.168.1.101 udp dport 4789 notrack comment "outer packets of VXLAN are no connections"'
ip neigh replace 10.244.2.0 lladdr 56:ef:0e:c3:44:2f dev vxlan.polder nud permanent
ip neigh replace 10.244.3.0 lladdr 22:dd:11:45:73:af dev vxlan.polder nud permanent
bridge fdb replace 22:dd:11:45:73:af dev vxlan.polder dst 192.168.1.103 self permanent
bridge fdb replace 56:ef:0e:c3:44:2f dev vxlan.polder dst 192.168.1.102 self permanent
ip route add blackhole 10.244.1.0/24 proto 77 scope global
ip route add 10.244.1.5/32 dev cali5 proto 77 scope link
ip route add 10.244.1.6/32 dev cali6 proto 77 scope link
ip route add 10.244.2.0/24 via 10.244.2.0 dev vxlan.polder onlink proto 77 scope global
ip route add 10.244.3.0/24 via 10.244.3.0 dev vxlan.polder onlink proto 77 scope global
`,
  );
});
