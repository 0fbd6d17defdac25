/** Addresses of pools in a lab, by what people type: Calico's annotations, pools that come and go, names that stay. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually, type TestLab, testLab } from '#test/support/lab.ts';
import { noKubectl, noLab, polder } from '#test/support/polder.ts';

const skip = noLab() || noKubectl();

const pool = (name: string, cidr: string, more = '') => `---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: ${name}
spec:
  cidr: ${cidr}
  blockSize: 28
  vxlanMode: Always
  natOutgoing: true
${more}`;

interface PodText {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly namespace?: string;
}

/** `sleep` under a shell that heeds SIGTERM, so that it goes at once. */
const pod = (name: string, { annotations = {}, node, namespace = 'default' }: PodText = {}) => `---
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: ${namespace}
  labels: { app: ${name} }
  annotations: ${JSON.stringify(annotations)}
spec:
  ${node === undefined ? '' : `nodeName: ${node}`}
  containers:
  - name: main
    image: busybox
    command: ["sh", "-c", "trap exit TERM; sleep 3600 & wait"]
`;

const fixed = (addr: string) => ({ 'cni.projectcalico.org/ipAddrs': JSON.stringify([addr]) });
const from = (...names: readonly string[]) => ({ 'cni.projectcalico.org/ipv4pools': JSON.stringify(names) });

class Cluster {
  readonly lab: TestLab;

  constructor(lab: TestLab) {
    this.lab = lab;
  }

  apply(...texts: readonly string[]): Promise<string> {
    return this.lab.kubectl('kubectl apply -f -', texts.join(''));
  }

  async ready(name: string, namespace = 'default'): Promise<string> {
    await this.lab.kubectl(`kubectl wait -n ${namespace} --for=condition=Ready pod/${name} --timeout=60s`);
    return this.lab.kubectl(`kubectl get pod -n ${namespace} ${name} -o jsonpath='{.status.podIP}'`);
  }

  /** The sentence of the pod's events that says why it does not start. */
  async refusal(name: string, sentence: RegExp): Promise<string> {
    const line = `kubectl get events --field-selector involvedObject.name=${name},reason=FailedCreatePodSandBox -o jsonpath='{.items[*].message}'`;
    return eventually(`the events of ${name} say ${sentence}`, async () => {
      return sentence.exec(await this.lab.kubectl(line))?.[0];
    });
  }

  async remove(...names: readonly string[]): Promise<void> {
    await this.lab.kubectl(`kubectl delete pod ${names.join(' ')} --wait --timeout=60s`);
  }

  async blocks(): Promise<string> {
    return this.lab.kubectl("kubectl get ipamblocks.crd.projectcalico.org -o jsonpath='{.items[*].spec.cidr}'");
  }

  async reaches(name: string, addr: string): Promise<void> {
    assert.match(await this.lab.kubectl(`kubectl exec ${name} -- ping -c 1 -W 2 ${addr}`), / 0% packet loss/);
  }
}

async function addressesByName(cluster: Cluster): Promise<void> {
  const deployment = `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: fixed }
spec:
  replicas: 1
  strategy: { type: Recreate }
  selector: { matchLabels: { app: fixed } }
  template:
    metadata:
      labels: { app: fixed }
      annotations: ${JSON.stringify(fixed('10.244.1.200'))}
    spec:
      containers:
      - { name: main, image: busybox, command: ["sh", "-c", "trap exit TERM; sleep 3600 & wait"] }
`;
  await cluster.apply(deployment, pod('other', { node: 'node2' }));
  await cluster.lab.kubectl('kubectl rollout status deployment/fixed --timeout=60s');
  const addrs = () => cluster.lab.kubectl("kubectl get pod -l app=fixed -o jsonpath='{.items[*].status.podIP}'");
  const names = () => cluster.lab.kubectl('kubectl get pod -l app=fixed -o name');
  assert.equal(await addrs(), '10.244.1.200');
  await cluster.ready('other');
  await cluster.reaches('other', '10.244.1.200');
  const before = await names();
  await cluster.lab.kubectl('kubectl delete pod -l app=fixed --wait --timeout=60s');
  await cluster.lab.kubectl('kubectl rollout status deployment/fixed --timeout=60s');
  assert.notEqual(await names(), before, 'it is another pod');
  assert.equal(await addrs(), '10.244.1.200', 'with the same address');
  await cluster.reaches('other', '10.244.1.200');

  await cluster.apply(pod('taken', { annotations: fixed('10.244.1.200') }));
  await cluster.apply(pod('outside', { annotations: fixed('192.0.2.7') }));
  await cluster.apply(pod('garbled', { annotations: { 'cni.projectcalico.org/ipAddrs': '10.244.1.201' } }));
  await cluster.refusal(
    'taken',
    /Cannot give address 10\.244\.1\.200: pod default\/fixed-\S+( on node node\d)? has it/,
  );
  await cluster.refusal(
    'outside',
    /Cannot give address 192\.0\.2\.7: it is not a usable address of the pools \(10\.244\.0\.0\/16\)/,
  );
  await cluster.refusal('garbled', /ipAddrs of pod default\/garbled is "10\.244\.1\.201": it is no JSON list of texts/);
  await cluster.lab.kubectl('kubectl delete deployment fixed --wait');
  assert.equal(await cluster.ready('taken'), '10.244.1.200', 'it waits, and has it once it is free');
  await cluster.remove('taken', 'outside', 'garbled');
}

async function poolsByAnnotation(cluster: Cluster): Promise<void> {
  await cluster.apply(pool('second', '10.9.0.0/24'));
  const namespace = `---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: team\n  annotations: ${JSON.stringify(from('second'))}\n`;
  await cluster.apply(namespace);
  await cluster.apply(
    pod('a', { node: 'node1', annotations: from('second') }),
    pod('b', { node: 'node2', namespace: 'team' }),
    pod('c', { node: 'node2', namespace: 'team', annotations: from('default-ipv4-ippool') }),
    pod('d', { node: 'node1', annotations: from('nope') }),
  );
  const [a, b, c] = [await cluster.ready('a'), await cluster.ready('b', 'team'), await cluster.ready('c', 'team')];
  assert.match(`${a} ${b} ${c}`, /^10\.9\.0\.\d+ 10\.9\.0\.\d+ 10\.244\.\d+\.\d+$/);
  for (const addr of [b, c]) await cluster.reaches('a', addr);
  await cluster.refusal(
    'd',
    /Pool nope, which the pod or its namespace asks for, cannot be used: there is no such pool/,
  );
  await cluster.remove('d');
}

async function poolsOfNodes(cluster: Cluster): Promise<void> {
  await cluster.lab.kubectl('kubectl label node node1 zone=west');
  const reserved = `---\napiVersion: projectcalico.org/v3\nkind: IPReservation\nmetadata: { name: low }\nspec: { reservedCIDRs: [10.10.0.0/28, 10.10.0.16] }\n`;
  await cluster.apply(reserved, pool('west', '10.10.0.0/27', "  nodeSelector: zone == 'west'\n"));
  await cluster.apply(pod('w1', { node: 'node1', annotations: from('west') }));
  await cluster.apply(pod('w2', { node: 'node2', annotations: from('west') }));
  await cluster.apply(pod('w3', { node: 'node1', annotations: fixed('10.10.0.16') }));
  const addr = await cluster.ready('w1');
  assert.match(addr, /^10\.10\.0\.(1[7-9]|2\d|3[01])$/, 'neither of the reserved block nor the reserved address');
  await cluster.reaches('a', addr);
  await cluster.refusal('w2', /Pool west, .*cannot be used: its nodeSelector zone == 'west' does not select the node/);
  assert.equal(await cluster.ready('w3'), '10.10.0.16', 'by name it is given: only what is chosen is kept back');
  await cluster.remove('w1', 'w2', 'w3');
}

async function disabled(cluster: Cluster): Promise<void> {
  await cluster.lab.kubectl(`kubectl patch ippool second --type merge -p '{"spec":{"disabled":true}}'`);
  await cluster.apply(pod('late', { node: 'node1', annotations: from('second') }));
  await cluster.refusal('late', /Pool second, .*cannot be used: it is disabled/);
  const addr = await cluster.lab.kubectl("kubectl get pod -n team b -o jsonpath='{.status.podIP}'");
  assert.match(addr, /^10\.9\.0\./);
  await cluster.reaches('a', addr);
  assert.match(await cluster.blocks(), /10\.9\.0\./);
  await cluster.remove('a', 'late');
  await cluster.lab.kubectl('kubectl delete pod -n team b --wait --timeout=60s');
}

async function deletedInUse(cluster: Cluster): Promise<void> {
  await cluster.apply(pool('third', '10.11.0.0/24'), pod('late', { node: 'node1' }));
  const ours = { annotations: from('third') };
  await cluster.apply(pod('t1', { node: 'node1', ...ours }), pod('t2', { node: 'node2', ...ours }));
  await cluster.ready('t1');
  await cluster.ready('late');
  const addr = await cluster.ready('t2');
  await cluster.lab.kubectl('kubectl delete ippool third --wait=false');
  await cluster.apply(pod('t3', { node: 'node1', ...ours }));
  await cluster.refusal('t3', /Pool third, .*cannot be used: it is being deleted/);
  await cluster.reaches('t1', addr);
  const shown = await polder(['ipam', 'show', '-o', 'wide', '--name', cluster.lab.name]);
  assert.match(shown.stdout, /^IP Pool +10\.11\.0\.0\/24 .*being deleted$/m);
  await cluster.remove('t1', 't3');
  await cluster.reaches('late', addr);
  await cluster.remove('t2', 'late');
}

/** Addresses cool down first: both wait for it at once. */
async function drained(cluster: Cluster): Promise<void> {
  await eventually(
    'no block is left of either',
    async () => (/10\.(9|11)\.0\./.test(await cluster.blocks()) ? undefined : true),
    90_000,
  );
  const left = async () => (await cluster.lab.kubectl('kubectl get ippool third --ignore-not-found -o name')).trim();
  await eventually('the one that was deleted is gone', async () => ((await left()) === '' ? true : undefined));
  await cluster.lab.kubectl('kubectl delete ippool second');
}

async function namesOfStatefulSets(cluster: Cluster): Promise<void> {
  await cluster.apply(`---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { clusterIP: None, selector: { app: web }, ports: [{ port: 80, name: http }] }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: web }
spec:
  serviceName: web
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
      - { name: main, image: busybox, command: ["sh", "-c", "trap exit TERM; sleep 3600 & wait"] }
`);
  await cluster.lab.kubectl('kubectl rollout status statefulset/web --timeout=60s');
  const uid = () => cluster.lab.kubectl("kubectl get pod web-0 -o jsonpath='{.metadata.uid}'");
  const before = { uid: await uid(), addr: await cluster.ready('web-0') };
  assert.equal((await cluster.lab.kubectl('kubectl exec web-0 -- hostname')).trim(), 'web-0');
  await cluster.remove('web-0');
  await cluster.lab.kubectl('kubectl rollout status statefulset/web --timeout=60s');
  const addr = await cluster.ready('web-0');
  assert.notEqual(await uid(), before.uid);
  assert.notEqual(addr, before.addr, 'made anew it has a new address: the old one cools down');
  assert.equal((await cluster.lab.kubectl('kubectl exec web-0 -- hostname')).trim(), 'web-0');
  const slices =
    "kubectl get endpointslice -l kubernetes.io/service-name=web -o jsonpath='{range .items[*].endpoints[*]}{.hostname}={.addresses[0]} {end}'";
  await eventually('the name leads to the new address', async () => {
    return (await cluster.lab.kubectl(slices)).includes(`web-0=${addr} `) ? true : undefined;
  });
}

async function nothingIsWrong(cluster: Cluster): Promise<void> {
  const verified = await cluster.lab.run('verify');
  assert.equal(verified.status, 0, verified.stdout);
  assert.match(verified.stdout, /M7 .*10\.10\.0\.0\/27/, 'with a second pool, too');
  await eventually('ipam check finds nothing', async () => {
    const ran = await polder(['ipam', 'check', '--name', cluster.lab.name]);
    return ran.status === 0 ? true : undefined;
  });
  const shown = await polder(['ipam', 'show', '--show-nodes', '--name', cluster.lab.name]);
  assert.match(shown.stdout, /^IP Pool +10\.244\.0\.0\/16 +65536 +\d+ \(0%\)/m);
  assert.match(shown.stdout, /^node2 +\d+/m);
}

const STEPS = {
  'cni.projectcalico.org/ipAddrs: the address stays when the pod is made anew; taken, outside, garbled: a sentence in the events':
    addressesByName,
  'ipv4pools of a pod and of its namespace choose the pool': poolsByAnnotation,
  'a pool is for the nodes that its nodeSelector names, an IPReservation keeps addresses back': poolsOfNodes,
  'a disabled pool gives nothing more, its pods keep what they have': disabled,
  'a pool that is deleted in use gives nothing more, and its pods are reached until they end': deletedInUse,
  'both drain, and the deleted one is gone': drained,
  'a StatefulSet’s pod keeps its name, and the name leads to its new address': namesOfStatefulSets,
  'lab verify and ipam check find nothing wrong after all of it': nothingIsWrong,
} satisfies Record<string, (cluster: Cluster) => Promise<void>>;

test('addresses from pools in a lab of two nodes', { skip }, async (t: TestContext) => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-vxlan');
  const cluster = new Cluster(lab);
  for (const [name, step] of Object.entries(STEPS)) await t.test(name, () => step(cluster));
});

test('of both families a pod has an address of each, chosen, by name or of the pool that it names', {
  skip,
}, async () => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-vxlan', '--family', 'dual');
  const cluster = new Cluster(lab);
  const cidrs = await lab.kubectl("kubectl get ippools -o jsonpath='{.items[*].spec.cidr}'");
  const six = /\S*::\/\d+/.exec(cidrs)?.[0] ?? assert.fail(cidrs);
  const wanted = ['10.244.1.77', `${six.split('/')[0]}7:7`];
  await cluster.apply(pool('six', 'fd00:9::/112').replace('blockSize: 28', 'blockSize: 122'));
  const six9 = { 'cni.projectcalico.org/ipv6pools': '["six"]' };
  const named = { 'cni.projectcalico.org/ipAddrs': JSON.stringify(wanted) };
  await cluster.apply(
    pod('chosen', { node: 'node1' }),
    pod('named', { node: 'node2', annotations: named }),
    pod('of-six', { node: 'node2', annotations: six9 }),
  );
  const addrs = async (name: string) => {
    await cluster.ready(name);
    return lab.kubectl(`kubectl get pod ${name} -o jsonpath='{.status.podIPs[*].ip}'`);
  };
  const { length } = (await addrs('chosen')).split(' ');
  assert.equal(length, 2);
  assert.equal(await addrs('named'), wanted.join(' '));
  const ofSix = await addrs('of-six');
  assert.match(ofSix, /^10\.244\.\d+\.\d+ fd00:9::[0-9a-f:]+$/);
  for (const addr of [...wanted, ...ofSix.split(' ')]) await cluster.reaches('chosen', addr);
  const check = await polder(['ipam', 'check', '--name', lab.name]);
  assert.equal(check.status, 0, check.stdout);
});
