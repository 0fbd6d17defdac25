/** Lines that people type at kubectl, beyond the life of a pod: what is served, who I am, ways to change and to wait. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Kubectl, minor, missing } from '#serve/api/testing/kubectl.ts';
import { startServer } from '#serve/api/testing/server.ts';

const DEPLOYMENT = JSON.stringify({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'nginx', image: 'nginx:1.27' }] } },
  },
});

describe('kubectl lines', { skip: missing, timeout: 120_000 }, () => {
  it('that ask what is served: api-resources, api-versions, get --raw, explain', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    const wide = await kubectl.run('api-resources -o wide');
    assert.match(wide, /^NAME +SHORTNAMES +API(VERSION|GROUP) +NAMESPACED +KIND +VERBS/);
    assert.match(
      wide,
      /^persistentvolumeclaims +pvc +v1 +true +PersistentVolumeClaim +\[?create[ ,]delete[ ,]deletecoll/m,
    );
    assert.match(wide, /^selfsubjectreviews +authentication.k8s.io\/v1 +false +SelfSubjectReview +\[?create\]? *$/m);
    assert.equal(
      await kubectl.run('api-resources --namespaced=false --verbs=deletecollection -o name --api-group=storage.k8s.io'),
      'csidrivers.storage.k8s.io\ncsinodes.storage.k8s.io\nstorageclasses.storage.k8s.io\n',
    );
    const versions = (await kubectl.run('api-versions')).trim().split('\n');
    for (const one of ['v1', 'apps/v1', 'storage.k8s.io/v1', 'node.k8s.io/v1']) assert.ok(versions.includes(one), one);
    assert.match(await kubectl.run('get --raw /'), /"\/apis\/apps\/v1"/);
    assert.match(await kubectl.run('get --raw /apis/apps/v1'), /"kind":"APIResourceList"/);
    assert.equal(await kubectl.run('get --raw /readyz?verbose'), '[+]ping ok\nreadyz check passed\n');
    assert.match(await kubectl.run('explain pod'), /Pod is a collection of containers that can run on a\s+host\./);
    assert.match(await kubectl.run('explain deployment.spec.replicas'), /Number of desired pods\./);
    const recursive = await kubectl.run('explain deployment --recursive');
    assert.match(recursive, /^ +containerPort\t<integer>/m);
    assert.match(recursive, /^ +matchExpressions\t<\[\](Object|LabelSelectorRequirement)>/m);
    assert.match(await kubectl.run('explain cronjob --api-version=batch/v1'), /CronJob represents the configuration/);
    assert.match(await kubectl.run('explain events --api-version=events.k8s.io/v1'), /regarding/);
    const unknown = await kubectl.try('explain pod.spec.colour');
    assert.match(unknown.err, /field "colour" does not exist/);
  });

  it('that ask who I am and what I may: auth can-i, whoami, create token, config', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    assert.equal(await kubectl.run('auth can-i create pods'), 'yes\n');
    assert.match(
      await kubectl.run('auth can-i --list'),
      /^Resources +Non-Resource URLs +Resource Names +Verbs\n\*\.\* +\[\] +\[\] +\[\*\]/,
    );
    await kubectl.run('create serviceaccount robot');
    await kubectl.run('create rolebinding robot --clusterrole=view --serviceaccount=default:robot');
    const as = '--as=system:serviceaccount:default:robot';
    assert.equal((await kubectl.try(`auth can-i create pods ${as}`)).out, 'no\n');
    assert.match(await kubectl.run(`auth can-i --list ${as}`), /^configmaps +\[\] +\[\] +\[get list watch\]$/m);
    assert.match((await kubectl.try(`get secrets ${as}`)).err, /cannot list resource "secrets" in API group ""/);
    if (minor >= 28) assert.match(await kubectl.run('auth whoami'), /^Username +kubernetes-admin$/m);
    if (minor >= 24) {
      const token = (await kubectl.run('create token robot --duration=30m')).trim();
      const path = join(server.dataDir, 'kubeconfig');
      await kubectl.run(`config set-credentials robot --token=${token}`);
      await kubectl.run('config set-context robot --cluster=polder --user=robot');
      assert.equal(await kubectl.run('config use-context robot'), 'Switched to context "robot".\n');
      assert.equal(await kubectl.run('config current-context'), 'robot\n');
      assert.match(
        (await kubectl.try(['run', 'p', '--image=i', '--kubeconfig', path])).err,
        /serviceaccount:default:robot" cannot create/,
      );
      assert.equal(await kubectl.run('get pods -o name'), '');
      assert.match((await kubectl.try('create token robot --duration=1m')).err, /cannot create|10 minutes/);
    }
    assert.match(await kubectl.run('config view'), /server: https:\/\/127\.0\.0\.1:\d+/);
  });

  it('that change: label, annotate, set, patch in three ways, edit, replace --force', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    await kubectl.run('apply -f -', DEPLOYMENT);
    const of = (path: string) => kubectl.run(`get deployment web -o jsonpath={${path}}`);
    assert.equal(await kubectl.run('label deployment web tier=front'), 'deployment.apps/web labeled\n');
    assert.match((await kubectl.try('label deployment web tier=back')).err, /already has a value/);
    await kubectl.run('label deployment web tier=back --overwrite');
    await kubectl.run('label deployment web tier-');
    assert.equal(await of('.metadata.labels'), '');
    await kubectl.run(['annotate', 'deployments', '--all', 'note=a b']);
    assert.equal(await of('.metadata.annotations.note'), 'a b');
    await kubectl.run('set image deployment/web nginx=nginx:1.28');
    await kubectl.run('set env deployment/web A=1');
    await kubectl.run('set resources deployment web --limits=cpu=200m');
    assert.equal(await of('.spec.template.spec.containers[0].image'), 'nginx:1.28');
    assert.equal(await of('.spec.template.spec.containers[0].resources.requests.cpu'), '200m');
    const side = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"busybox"}]}}}}';
    await kubectl.run(['patch', 'deployment', 'web', '-p', side]);
    assert.equal(await of('.spec.template.spec.containers[*].name'), 'side nginx');
    await kubectl.run([
      'patch',
      'deployment',
      'web',
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/spec/template/spec/containers/0"}]',
    ]);
    await kubectl.run(['patch', 'deployment', 'web', '--type=merge', '-p', '{"spec":{"replicas":5}}']);
    assert.equal(await of('.spec.template.spec.containers[*].name'), 'nginx');
    assert.equal(await of('.spec.replicas'), '5');
    assert.match(
      (
        await kubectl.try([
          'patch',
          'deployment',
          'web',
          '--type=json',
          '-p',
          '[{"op":"test","path":"/spec/replicas","value":1}]',
        ])
      ).err,
      /[Ii]nvalid|the server rejected/,
    );
    const editor = join(server.dataDir, 'editor');
    writeFileSync(editor, '#!/bin/sh\nsed -i "s/replicas: 5/replicas: 3/" "$1"\n');
    chmodSync(editor, 0o755);
    assert.equal(await kubectl.run('edit deployment web', '', { KUBE_EDITOR: editor }), 'deployment.apps/web edited\n');
    assert.equal(await of('.spec.replicas'), '3');
    const uid = await of('.metadata.uid');
    assert.match(
      await kubectl.run('replace --force -f -', DEPLOYMENT),
      /"web" deleted\ndeployment.apps\/web replaced\n$/,
    );
    assert.notEqual(await of('.metadata.uid'), uid);
  });

  it('that compare: diff tells what would change, with nothing changed', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    await kubectl.run('apply -f -', DEPLOYMENT);
    assert.equal((await kubectl.try('diff -f -', DEPLOYMENT)).status, 0);
    const other = DEPLOYMENT.replace('"replicas":2', '"replicas":4').replace('nginx:1.27', 'nginx:1.28');
    const { status, out } = await kubectl.try('diff -f -', other);
    assert.equal(status, 1);
    assert.match(out, /^- {2}replicas: 2\n\+ {2}replicas: 4$/m);
    assert.match(out, /^- +- image: nginx:1\.27\n\+ +- image: nginx:1\.28$/m);
    assert.equal(await kubectl.run('get deployment web -o jsonpath={.spec.replicas}'), '2');
    const fresh = await kubectl.try('diff -f -', DEPLOYMENT.replace('"name":"web"', '"name":"fresh"'));
    assert.match(fresh.out, /^\+ {2}name: fresh$/m);
    assert.match(await kubectl.run('apply --dry-run=server -f -', other), /configured \(server dry run\)/);
  });

  it('that wait: for a condition, a value, a deletion', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    await kubectl.run('apply -f -', DEPLOYMENT);
    const waiting = kubectl.run('wait --for=condition=Available deployment/web --timeout=30s');
    const status = { conditions: [{ type: 'Available', status: 'True', reason: 'r', message: 'm' }] };
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    await server.client.ask(
      'PATCH',
      '/apis/apps/v1/namespaces/default/deployments/web/status',
      { status },
      { headers },
    );
    assert.equal(await waiting, 'deployment.apps/web condition met\n');
    if (minor >= 23) {
      const value = kubectl.run('wait --for=jsonpath={.spec.replicas}=6 deployment/web --timeout=30s');
      await kubectl.run('scale deployment web --replicas=6');
      assert.equal(await value, 'deployment.apps/web condition met\n');
    }
    const gone = kubectl.try('wait --for=delete deployment/web --timeout=30s');
    await kubectl.run('delete deployment web');
    // When it has gone before they look, newer ones say nothing, and older ones that there is nothing.
    const { out, err } = await gone;
    assert.match(out + err, /^(deployment.apps\/web condition met\n|error: no matching resources found\n)?$/);
    const late = await kubectl.try('wait --for=condition=Ready deployment/none --timeout=1s');
    assert.match(late.err, /deployments.apps "none" not found/);
  });

  it('that make the kinds that are only kept: claims, quotas, and show them', async () => {
    await using server = await startServer();
    const kubectl = new Kubectl(server);
    await kubectl.run('create quota small --hard=pods=10,limits.cpu=4');
    assert.match(await kubectl.run('describe quota small'), /pods +0? *10|Resource +Used +Hard/);
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    };
    assert.equal(await kubectl.run('apply -f -', JSON.stringify(claim)), 'persistentvolumeclaim/data created\n');
    assert.equal(await kubectl.run('apply -f -', JSON.stringify(claim)), 'persistentvolumeclaim/data unchanged\n');
    assert.match(
      await kubectl.run('get pvc'),
      /^NAME +STATUS +VOLUME +CAPACITY +ACCESS MODES +STORAGECLASS +VOLUMEATTRIBUTESCLASS +AGE\ndata +Pending/,
    );
    assert.match(await kubectl.run('describe pvc data'), /Status: +Pending/);
    assert.match(
      (await kubectl.try('patch pvc data -p {"spec":{"accessModes":["ReadWriteMany"]}}')).err,
      /spec is immutable after creation/,
    );
  });
});
