import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ImageStore } from '#lab/images/image-store.ts';
import { ImagePull } from '#lab/kubelet/image-pull.ts';
import { testContainer } from '#lab/kubelet/testing/pods.ts';

const dir = mkdtempSync(join(tmpdir(), 'pt-pull-'));
after(() => rmSync(dir, { recursive: true, force: true }));

function setUp(image: string, policy?: string) {
  const events: string[] = [];
  const pull = new ImagePull(new ImageStore(dir, '/bin/true'), (type, reason) => events.push(`${type} ${reason}`));
  const container = testContainer('c', { image, ...(policy && { imagePullPolicy: policy }) });
  const look = (now: number) => {
    const answer = pull.look(container, now);
    return answer.kind === 'image' ? 'image' : `${answer.trouble.reason} +${(answer.trouble.until - now) / 1000}`;
  };
  return { look, events };
}

test('a missing image is ErrImagePull, then ImagePullBackOff with doubling waits', () => {
  const { look, events } = setUp('myapp');
  assert.deepEqual([0, 0, 0].map(look), ['ErrImagePull +10', 'ImagePullBackOff +20', 'ImagePullBackOff +40']);
  assert.deepEqual(events.slice(0, 4), ['Warning Failed', 'Warning Failed', 'Warning Failed', 'Normal BackOff']);
  assert.deepEqual(Array.from({ length: 5 }, () => look(0)).at(-1), 'ImagePullBackOff +300');
});

test('an image that is there is told once', () => {
  const { look, events } = setUp('debian');
  assert.deepEqual([0, 0].map(look), ['image', 'image']);
  assert.deepEqual(events, ['Normal Pulled']);
});

test('a bad name, and a policy that forbids pulling, have reasons of their own', () => {
  assert.match(setUp('My App').look(0), /^InvalidImageName/);
  assert.match(setUp('myapp', 'Never').look(0), /^ErrImageNeverPull/);
});
