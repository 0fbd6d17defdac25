/** What the lab's kubelet gives containers, tells of them, and takes from them, as a person sees it; and what only a current kubectl asks for. */

import { describe, test } from 'node:test';
import { client, noClient } from '#test/support/clients.ts';
import { testLab } from '#test/support/lab.ts';
import { noLab } from '#test/support/polder.ts';
import { play } from '#test/transcripts/play.ts';

const skip = noLab() || noClient('kubectl 1.35');
const PARTS = ['settings', 'rights', 'probes', 'ends', 'restarts'].map((name) => `kubelet-${name}.txt`);
const FILES = [...PARTS, 'cronjob.txt'];

// Much of it is waiting.
describe('the kubelet', { concurrency: 3 }, () => {
  for (const file of FILES) {
    test(`${file} reads as it should`, { skip }, async () => {
      await using lab = await testLab('up', '--nodes', '1');
      await play(file, lab.name, { kubectl: client('kubectl 1.35') ?? '' });
    });
  }
});
