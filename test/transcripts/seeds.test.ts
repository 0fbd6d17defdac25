/** What the seed documents let their readers type, typed verbatim in a terminal, with an old kubectl and a current one. */

import { describe, test } from 'node:test';
import { client, KUBECTL_AGES, noClient } from '#test/support/clients.ts';
import { testLab } from '#test/support/lab.ts';
import { noLab } from '#test/support/polder.ts';
import { play } from '#test/transcripts/play.ts';

/** File -> options of `lab up`. */
const TRANSCRIPTS = {
  'experiment-1-2.txt': [],
  'experiment-3.txt': [],
  'experiment-4.txt': [],
  'stable-names.txt': [],
  'deployment.txt': ['--nodes', '1'],
  'policies.txt': ['--nodes', '1'],
  'diagnosis.txt': [],
  'scheduling.txt': [],
  'drain.txt': ['--nodes', '2'],
  'lost-node.txt': ['--nodes', '2'],
  'owners.txt': ['--nodes', '1'],
  'jobs.txt': ['--nodes', '1'],
  'top.txt': ['--nodes', '2'],
  'static-pods.txt': ['--nodes', '2'],
  'multus.txt': ['--nodes', '1', '--profile', 'flannel-vxlan'],
} satisfies Record<string, readonly string[]>;

// Much of it is waiting for containers that ignore SIGTERM.
describe('transcripts', { concurrency: 3 }, () => {
  for (const name of KUBECTL_AGES) {
    const skip = noLab() || noClient(name);
    for (const [file, up] of Object.entries(TRANSCRIPTS)) {
      test(`${file} reads as it should with ${name}`, { skip }, async () => {
        await using lab = await testLab('up', ...up);
        await play(file, lab.name, { kubectl: client(name) ?? '' });
      });
    }
  }
});
