import assert from 'node:assert/strict';
import { test } from 'node:test';
import { qosClass } from '#lab/kubelet/status/qos.ts';
import { testContainer } from '#lab/kubelet/testing/pods.ts';

const of = (...resources: { requests?: Record<string, string>; limits?: Record<string, string> }[]) =>
  qosClass({ containers: resources.map((r, i) => testContainer(`c${i}`, { resources: r })) });

test('the class follows requests and limits of all containers', () => {
  const full = { cpu: '1', memory: '1Gi' };
  assert.equal(of({}), 'BestEffort');
  assert.equal(of({ limits: full }), 'Guaranteed');
  assert.equal(of({ limits: full, requests: full }), 'Guaranteed');
  assert.equal(of({ limits: full }, {}), 'Burstable');
  assert.equal(of({ limits: full, requests: { cpu: '500m' } }), 'Burstable');
  assert.equal(of({ requests: { cpu: '1' } }), 'Burstable');
});
