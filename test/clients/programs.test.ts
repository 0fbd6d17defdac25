/** Programs that others wrote against Kubernetes, unchanged, on a lab. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CoreV1Api, KubeConfig, makeInformer, type V1Pod } from '@kubernetes/client-node';
import { labPaths } from '#lab/names.ts';
import { client, noClient } from '#test/support/clients.ts';
import { eventually, type TestLab, testLab } from '#test/support/lab.ts';
import { noLab, run } from '#test/support/polder.ts';

/** Debian's own, which sees Debian's packages. */
const PYTHON = '/usr/bin/python3';
const noPython = spawnSync(PYTHON, ['-c', 'import kubernetes.stream']).status !== 0 && 'no python3-kubernetes';

describe('programs against the lab', { skip: noLab() }, () => {
  let lab: TestLab;
  before(async () => {
    lab = await testLab('up', '--nodes', '1');
  });
  after(() => lab[Symbol.asyncDispose]());

  it('python3-kubernetes watches from a list on, execs, scales and reads errors', { skip: noPython }, async () => {
    const ran = await run(PYTHON, [join(import.meta.dirname, 'watcher.py'), labPaths(lab.name).kubeconfig]);
    assert.equal(ran.status, 0, ran.stderr);
    assert.deepEqual(ran.stdout.trim().split('\n'), [
      'ready 2 first ADDED',
      'exec from inside',
      'gone 1',
      'error 404 Not Found',
      'metrics 1',
    ]);
  });

  it('an informer of @kubernetes/client-node hears of what was there, what comes, changes and goes', async () => {
    const config = new KubeConfig();
    config.loadFromFile(labPaths(lab.name).kubeconfig);
    const core = config.makeApiClient(CoreV1Api);
    const heard: string[] = [];
    await lab.kubectl('kubectl run first --image=busybox --labels=app=informed -- sleep 600');
    const path = '/api/v1/namespaces/default/pods';
    const select = 'app=informed';
    const list = () => core.listNamespacedPod({ namespace: 'default', labelSelector: select });
    const informer = makeInformer<V1Pod>(config, path, list, select);
    const note = (word: string) => (pod: V1Pod) => void heard.push(`${word} ${pod.metadata?.name}`);
    for (const verb of ['add', 'update', 'delete'] as const) informer.on(verb, note(verb));
    try {
      await informer.start();
      await eventually('what was there', async () => heard.includes('add first') || undefined);
      await lab.kubectl('kubectl run second --image=busybox --labels=app=informed -- sleep 600');
      await eventually('what comes and changes', async () => heard.includes('update second') || undefined);
      await lab.kubectl('kubectl delete pod first --grace-period=1');
      await eventually('what goes', async () => heard.includes('delete first') || undefined);
      assert.ok(heard.indexOf('add second') < heard.indexOf('update second'));
      assert.equal(heard.filter((word) => word === 'add first').length, 1);
    } finally {
      await informer.stop();
    }
  });

  it('kubetail follows several pods in one stream', { skip: noClient('kubetail') }, async () => {
    const script = 'while :; do echo I am $HOSTNAME; sleep 0.2; done';
    await lab.kubectl(`kubectl create deployment tailed --image=busybox --replicas=2 -- sh -c '${script}'`);
    await lab.kubectl('kubectl rollout status deployment/tailed --timeout=60s');
    // Without this, Debian 12's kubetail cannot follow more than one pod, on any cluster: it is older than bash 5.2.
    const dir = mkdtempSync(join(tmpdir(), 'polder-'));
    const BASH_ENV = join(dir, 'env');
    writeFileSync(BASH_ENV, 'shopt -u patsub_replacement');
    const env = { ...process.env, BASH_ENV, KUBECONFIG: labPaths(lab.name).kubeconfig, TERM: 'dumb' };
    const child = spawn(client('kubetail') ?? '', ['tailed', '-k', 'false'], { env, detached: true });
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
    });
    try {
      await eventually('both pods speak', async () => new Set(text.match(/I am tailed-\S+/g)).size === 2 || undefined);
    } finally {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
      rmSync(dir, { recursive: true });
    }
  });
});
