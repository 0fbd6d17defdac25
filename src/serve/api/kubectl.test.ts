/** Stock kubectl against the server: what people type, and what they read. */
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { definition, GAUGE_SPEC, gauge, version as versionOf } from '#serve/api/testing/definitions.ts';
import { Kubectl, minor, missing } from '#serve/api/testing/kubectl.ts';
import { startServer } from '#serve/api/testing/server.ts';

const POD = `
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web}
spec:
  containers:
  - name: nginx
    image: nginx:1.27
    ports:
    - {containerPort: 80, name: http}
  - name: side
    image: busybox
    env:
    - {name: A, value: "1"}
`;

const DAEMON_SET = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: network-test}
spec:
  selector: {matchLabels: {name: network-test}}
  template:
    metadata: {labels: {name: network-test}}
    spec:
      containers:
      - {name: netshoot, image: nicolaka/netshoot, command: [sleep, "3600"]}
`;

describe('kubectl', { skip: missing, timeout: 120_000 }, () => {
  it('creates, shows, changes and deletes a pod', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    assert.equal(await kubectl.run('apply -f -', POD), 'pod/web created\n');
    assert.equal(await kubectl.run('apply -f -', POD), 'pod/web unchanged\n');
    assert.match(
      await kubectl.run('get pods -o wide'),
      /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\nweb +0\/2 +Pending +0 +\d+s +<none> +<none> +<none> +<none>\n$/,
    );
    assert.match(await kubectl.run('describe pod web'), /Image: +nginx:1.27/);
    assert.equal(await kubectl.run('label pod web tier=front'), 'pod/web labeled\n');
    assert.match(await kubectl.run('annotate pod web note=hello'), /^pod\/web annotated?\n$/);
    assert.match(await kubectl.run('get pod -l tier=front --show-labels'), /app=web,tier=front/);
    assert.equal(await kubectl.run('get pod web -o jsonpath={.metadata.annotations.note}'), 'hello');
    if (minor >= 23) {
      assert.equal(await kubectl.run('wait --for=jsonpath={.status.phase}=Pending pod/web'), 'pod/web condition met\n');
    }
    assert.equal(await kubectl.run('delete pod web'), 'pod "web" deleted\n');
    assert.match((await kubectl.try('get pod web')).err, /Error from server \(NotFound\): pods "web" not found/);
  });

  it('applies a change by strategic merge, and takes away what the manifest no longer says', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    await kubectl.run('apply -f -', POD);
    await kubectl.run('label pod web mine=1');
    assert.equal(
      await kubectl.run('apply -f -', POD.replace('nginx:1.27', 'nginx:1.28').replace('{app: web}', '{app: other}')),
      'pod/web configured\n',
    );
    assert.equal(await kubectl.run('get pod web -o jsonpath={.metadata.labels}'), '{"app":"other","mine":"1"}');
    assert.equal(await kubectl.run('get pod web -o jsonpath={.spec.containers[*].image}'), 'nginx:1.28 busybox');
    const service = (ports: string) =>
      `{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},"spec":{"selector":{"app":"web"},"ports":[${ports}]}}`;
    await kubectl.run('apply -f -', service('{"port":80,"name":"a"},{"port":81,"name":"b"}'));
    await kubectl.run('apply -f -', service('{"port":81,"name":"b"},{"port":82,"name":"c"}'));
    assert.equal(await kubectl.run('get service s -o jsonpath={.spec.ports[*].port}'), '81 82');
  });

  it('patches in three ways, edits, and shows a difference', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    await kubectl.run('create configmap c --from-literal=a=1');
    await kubectl.run(['patch', 'configmap', 'c', '-p', '{"data":{"b":"2"}}']);
    await kubectl.run(['patch', 'configmap', 'c', '--type=merge', '-p', '{"data":{"a":null}}']);
    await kubectl.run(['patch', 'configmap', 'c', '--type=json', '-p', '[{"op":"add","path":"/data/c","value":"3"}]']);
    assert.equal(await kubectl.run('get configmap c -o jsonpath={.data}'), '{"b":"2","c":"3"}');
    const manifest = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"b":"two","c":"3"}}';
    const difference = await kubectl.try('diff -f -', manifest);
    assert.equal(difference.status, 1);
    assert.match(difference.out, /^- {2}b: "2"\n\+ {2}b: two$/m);
    assert.equal(await kubectl.run('replace -f -', manifest), 'configmap/c replaced\n');
  });

  it('applies on the server, shows whose fields are in the way, and takes them when forced', {
    skip: minor < 22 && 'kubectl before 1.22 has no stable server-side apply',
  }, async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    const map = (data: string) => `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":${data}}`;
    assert.equal(
      await kubectl.run('apply --server-side -f -', map('{"a":"1","b":"2"}')),
      'configmap/c serverside-applied\n',
    );
    const other = await kubectl.try('apply --server-side --field-manager=ann -f -', map('{"a":"2"}'));
    assert.equal(other.status, 1);
    assert.match(other.err, /Apply failed with 1 conflict: conflict with "kubectl": \.data\.a/);
    const difference = await kubectl.try('diff --server-side -f -', map('{"a":"1"}'));
    assert.equal(difference.status, 1);
    assert.match(difference.out, /^- {2}b: "2"$/m);
    await kubectl.run('apply --server-side --field-manager=ann --force-conflicts -f -', map('{"a":"2"}'));
    assert.equal(await kubectl.run('get configmap c -o jsonpath={.data}'), '{"a":"2","b":"2"}');
    assert.match(
      await kubectl.run('get configmap c -o yaml --show-managed-fields'),
      /manager: ann\n {4}operation: Apply/,
    );
    assert.doesNotMatch(await kubectl.run('get configmap c -o yaml'), /managedFields/);
  });

  it('goes from applying by itself to applying on the server, and back', {
    skip: minor < 26 && 'kubectl before 1.26 does not migrate',
  }, async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    await kubectl.run('apply -f -', POD);
    const changed = POD.replace('nginx:1.27', 'nginx:1.28').replace('{app: web}', '{tier: front}');
    assert.equal(await kubectl.run('apply --server-side -f -', changed), 'pod/web serverside-applied\n');
    assert.equal(await kubectl.run('get pod web -o jsonpath={.metadata.labels}'), '{"tier":"front"}');
    const managers = await kubectl.run(
      'get pod web -o jsonpath={.metadata.managedFields[*].manager} --show-managed-fields',
    );
    assert.deepEqual(managers.split(' ').toSorted(), ['kubectl', 'kubectl-last-applied']);
    const last = await kubectl.run(['get', 'pod', 'web', '-o', 'jsonpath={.metadata.annotations}']);
    assert.match(last, /nginx:1.28/);
    assert.equal(await kubectl.run('apply -f -', POD), 'pod/web configured\n');
    assert.equal(await kubectl.run('get pod web -o jsonpath={.metadata.labels}'), '{"app":"web"}');
  });

  it('creates what it writes itself as protobuf', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    for (const line of [
      'create namespace n',
      'create configmap c -n n --from-literal=a=b',
      'create secret generic s -n n --from-literal=p=q',
      'create serviceaccount a -n n',
      'create service clusterip web -n n --tcp=80:8080',
    ]) {
      assert.match(await kubectl.run(line), / created\n$/);
    }
    assert.equal(await kubectl.run('get secret s -n n -o jsonpath={.data.p}'), 'cQ==');
    assert.equal(await kubectl.run('get service web -n n -o jsonpath={.spec.ports[0].targetPort}'), '8080');
    if (minor >= 24) assert.match(await kubectl.run('create token a -n n'), /^[\w-]+\.[\w-]+\.[\w-]+\n?$/);
    assert.equal(await kubectl.run('delete namespace n'), 'namespace "n" deleted\n');
    assert.match((await kubectl.try('get namespace n')).err, /NotFound/);
  });

  it('runs a pod by its name, and shows a DaemonSet, nodes and Services with the columns that people know', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    assert.equal(await kubectl.run('run pod-a --image=busybox --restart=Never -- sleep 3600'), 'pod/pod-a created\n');
    assert.equal(await kubectl.run('expose pod pod-a --port=80'), 'service/pod-a exposed\n');
    assert.equal(await kubectl.run('apply -f -', DAEMON_SET), 'daemonset.apps/network-test created\n');
    assert.match(
      await kubectl.run('get ds -o wide'),
      /^NAME +DESIRED +CURRENT +READY +UP-TO-DATE +AVAILABLE +NODE SELECTOR +AGE +CONTAINERS +IMAGES +SELECTOR\n/,
    );
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node1', labels: { 'node-role.kubernetes.io/worker': '' } },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '192.168.1.101' }],
        nodeInfo: {
          kubeletVersion: 'v1.32.0',
          osImage: 'Debian',
          kernelVersion: '6.1',
          containerRuntimeVersion: 'runc://1.1',
        },
      },
    };
    await server.client.ask('POST', '/api/v1/nodes', node);
    await server.client.ask('PUT', '/api/v1/nodes/node1/status', node);
    assert.match(
      await kubectl.run('get nodes -o wide'),
      /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME\nnode1 +Ready +worker +\d+s +v1.32.0 +192.168.1.101 +<none> +Debian +6.1 +runc:\/\/1.1\n$/,
    );
    assert.match(
      await kubectl.run('get svc'),
      /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nkubernetes +ClusterIP +10.96.0.1 +<none> +443\/TCP/,
    );
    assert.match(await kubectl.run('describe node node1'), /Non-terminated Pods/);
    assert.match(await kubectl.run('get all'), /daemonset.apps\/network-test/);
    assert.equal(await kubectl.run('cordon node1'), 'node/node1 cordoned\n');
    assert.match(await kubectl.run('get nodes'), /Ready,SchedulingDisabled/);
  });

  it('makes and shows the kinds around workloads', {
    skip: minor < 21 && 'kubectl before 1.21 speaks batch/v1beta1 and policy/v1beta1',
  }, async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    for (const line of [
      'create deployment web --image=nginx --replicas=2',
      'create job once --image=busybox -- true',
      'create cronjob often --image=busybox --schedule=*/5 -- true',
      'create ingress web --class=main --rule=example.com/*=web:80',
      'create poddisruptionbudget web --selector=app=web --min-available=1',
      'create priorityclass high --value=1000',
      'create role reader --verb=get --resource=pods',
      'create clusterrole reader --verb=list --resource=nodes',
      'create rolebinding reader --role=reader --user=ann',
      'create clusterrolebinding reader --clusterrole=reader --serviceaccount=default:a',
    ]) {
      const args = line.split(' ').map((word) => (word === '--schedule=*/5' ? '--schedule=*/5 * * * *' : word));
      assert.match(await kubectl.run(args), / created\n$/);
    }
    assert.match(await kubectl.run('get deploy'), /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/2 +0 +0 +\d+s\n$/);
    assert.match(
      await kubectl.run('get jobs'),
      /^NAME +STATUS +COMPLETIONS +DURATION +AGE\nonce +Running +0\/1 +\d+s\n$/,
    );
    assert.match(await kubectl.run('get cronjobs'), /often +\*\/5 \* \* \* \* +<none> +False +0 +<none> +\d+s/);
    assert.match(await kubectl.run('get ingress'), /web +main +example.com +80 +\d+s/);
    assert.match(await kubectl.run('get pdb'), /web +1 +N\/A +0 +\d+s/);
    assert.match(await kubectl.run('get priorityclass'), /high +1000 +false +\d+s +PreemptLowerPriority/);
    assert.match(await kubectl.run('get rolebinding -o wide'), /reader +Role\/reader +\d+s +ann/);
    assert.match(await kubectl.run('get clusterrolebinding -o wide'), /reader +ClusterRole\/reader +\d+s +default\/a/);
    assert.equal(
      await kubectl.run('scale deployment web --replicas=4 --current-replicas=2'),
      'deployment.apps/web scaled\n',
    );
    assert.equal(await kubectl.run('get deployment web -o jsonpath={.spec.replicas}'), '4');
    assert.match(await kubectl.run('describe clusterrole reader'), /nodes +\[\] +\[\] +\[list\]/);
    const policy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'deny' },
      spec: {
        podSelector: {},
        ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 80, protocol: 'TCP' }] }],
      },
    };
    await kubectl.run('apply -f -', JSON.stringify(policy));
    assert.equal(
      await kubectl.run('apply -f -', JSON.stringify(policy)),
      'networkpolicy.networking.k8s.io/deny unchanged\n',
    );
    assert.match(await kubectl.run('describe netpol deny'), /To Port: 80\/TCP/);
    assert.match(await kubectl.run('explain networkpolicy.spec.ingress'), /ports/);
  });

  it('makes, shows, changes, explains and deletes objects of a kind that it defines', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    const columns = [{ name: 'Unit', type: 'string', jsonPath: '.spec.unit' }];
    const made = definition([versionOf('v1', GAUGE_SPEC, { additionalPrinterColumns: columns })]);
    assert.match(await kubectl.run('apply -f -', JSON.stringify(made)), /gauges.lab.example.org created/);
    assert.match(
      await kubectl.run('wait --for=condition=Established crd/gauges.lab.example.org'),
      /gauges.lab.example.org condition met/,
    );
    assert.match(await kubectl.run('get crd'), /^NAME +CREATED AT\ngauges.lab.example.org +\d{4}-\d\d-\d\dT/);
    assert.match(
      await kubectl.run('api-resources --api-group=lab.example.org'),
      /^gauges +gg +lab.example.org\/v1 +true +Gauge/m,
    );
    const one = (spec: object) => JSON.stringify(gauge('g', { ...spec }));
    assert.equal(
      await kubectl.run('apply -f -', one({ unit: 'bar', serial: 'G-1' })),
      'gauge.lab.example.org/g created\n',
    );
    assert.equal(await kubectl.run('apply -f -', one({ unit: 'psi' })), 'gauge.lab.example.org/g configured\n');
    assert.equal(await kubectl.run('apply -f -', one({ unit: 'psi' })), 'gauge.lab.example.org/g unchanged\n');
    assert.equal(await kubectl.run('get gg -o jsonpath={.items[*].spec}'), '{"replicas":1,"unit":"psi"}');
    assert.match(await kubectl.run('get gauges'), /^NAME +UNIT\ng +psi\n$/);
    assert.match(await kubectl.run('get all'), /gauge.lab.example.org\/g/);
    await kubectl.run(['patch', 'gauge', 'g', '--type=merge', '-p', '{"spec":{"replicas":2}}']);
    assert.match(await kubectl.run('explain gauge.spec.unit'), /What it measures in\./);
    const wrong = await kubectl.try('apply -f -', one({ unit: 'mm' }));
    assert.match(wrong.err, /spec.unit.*(Unsupported value: "mm"|unsupported)/);
    const unknown = await kubectl.try('apply -f -', one({ unit: 'bar', colour: 'red' }));
    assert.equal(unknown.status, 1);
    assert.match(unknown.err, /unknown field "(spec\.)?colour"/);
    assert.match(await kubectl.run('delete crd gauges.lab.example.org'), /deleted/);
    assert.match((await kubectl.try('get gauges')).err, /doesn't have a resource type|could not find/);
  });

  it('watches, and prints each change', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    const child = kubectl.start('get pods --watch --no-headers');
    const lines: string[] = [];
    await kubectl.run('run p --image=busybox');
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (lines.length === 1) await kubectl.run('label pod p a=b');
      if (lines.length >= 2) break;
    }
    child.kill('SIGKILL');
    for (const line of lines) assert.match(line, /^p +0\/1 +Pending/);
  });

  it('is told what is wrong with a manifest, with the path of the field', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    const unknown = await kubectl.try('apply -f -', POD.replace('image: nginx:1.27', 'image: nginx\n    colour: red'));
    assert.equal(unknown.status, 1);
    // Before 1.27 kubectl finds it by itself, from the OpenAPI document.
    assert.match(
      unknown.err,
      minor >= 27 ? /strict decoding error: unknown field "spec.containers\[0\].colour"/ : /unknown field "colour"/,
    );
    if (minor >= 27) {
      const warned = await kubectl.try(
        'apply --validate=warn -f -',
        POD.replace('image: nginx:1.27', 'image: nginx\n    colour: red'),
      );
      assert.equal(warned.status, 0);
      assert.match(warned.err, /Warning: unknown field "spec.containers\[0\].colour"/);
    }
    const invalid = await kubectl.try(
      'apply -f -',
      POD.replace('name: web', 'name: Web_1').replace('containerPort: 80', 'containerPort: 99999'),
    );
    assert.equal(invalid.status, 1);
    assert.match(
      invalid.err,
      /The Pod "Web_1" is invalid: \n\* metadata.name: Invalid value: .*RFC 1123.*\n\* spec.containers\[0\].ports\[0\].containerPort: Invalid value: 99999/,
    );
    const shape = await kubectl.try(
      'create --validate=false -f -',
      POD.replace('containerPort: 80', 'containerPort: many'),
    );
    assert.match(
      shape.err,
      /\(BadRequest\).*cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32/,
    );
    assert.match((await kubectl.try('get gadgets')).err, /the server doesn't have a resource type "gadgets"/);
  });

  it('finds what is served: api-resources, explain, cluster-info, version', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    assert.match(await kubectl.run('api-resources'), /^daemonsets +ds +apps\/v1 +true +DaemonSet *$/m);
    assert.match(await kubectl.run('explain pod.spec.containers.ports'), /containerPort\s+<integer> -required-/);
    assert.match(await kubectl.run('version'), /Server Version: .*v1.32.0\+polder/);
    assert.match(await kubectl.run('cluster-info'), /is running at/);
  });

  it('ends a pod on a node in its grace period', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    await server.client.ask('POST', '/api/v1/namespaces/default/pods', {
      metadata: { name: 'p' },
      spec: { nodeName: 'node1', containers: [{ name: 'c', image: 'i' }] },
    });
    await kubectl.run('delete pod p --wait=false');
    assert.match(await kubectl.run('get pods'), /^p +0\/1 +Terminating/m);
    assert.match(await kubectl.run('delete pod p --force --grace-period=0'), /force deleted/);
    assert.equal(await kubectl.run('get pods -o name'), '');
  });
});
