import { test } from 'node:test';
import { client, noClient } from '#test/support/clients.ts';
import { testLab } from '#test/support/lab.ts';
import { noLab } from '#test/support/polder.ts';
import { play } from '#test/transcripts/play.ts';

const skip = noLab() || noClient('helm') || noClient('kubectl 1.35');

test('helm installs, upgrades, rolls back and uninstalls, and what it prints is applied', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '1');
  await play('helm.txt', lab.name, { helm: client('helm') ?? '', kubectl: client('kubectl 1.35') ?? '' });
});
