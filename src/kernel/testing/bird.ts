/** What tests with BIRD need. */

import { spawnSync } from 'node:child_process';
import { noKernel } from '#kernel/testing/scratch-netns.ts';

/** Why tests with BIRD cannot run here, or false: for the `skip` option of `node:test`. */
export const noBird: string | false =
  noKernel || (spawnSync('bird', ['--version']).status === 0 ? false : 'there is no BIRD: apt-get install bird2');
