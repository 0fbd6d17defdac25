/**
 * BIRD 2.0 may sleep for three seconds although it has something to send: what the first feed of a new session puts into
 * the queue does not wake its loop (sysdep/unix/io.c, io_loop). Any command does, so it is stirred when a session changes.
 */

import { type Clock, systemClock } from '#feed/clock.ts';
import type { BirdControl } from '#kernel/bird/handle.ts';
import { LOST } from '#wire/bird/reply.ts';

/** From the change on, ms: a large feed takes a while. */
const MOMENTS = [0, 20, 100, 300, 1_000, 2_000];

const CHANGED = /^\S+: State changed to /;

/** Has the daemon say when a session changes, and stirs it then, until the connection ends. */
export async function keepStirred(control: BirdControl, clock: Clock = systemClock): Promise<void> {
  control.onSaid((text) => {
    if (CHANGED.test(text) || LOST.test(text)) void stir(control, clock);
  });
  await control.ask('echo { trace }');
}

async function stir(control: BirdControl, clock: Clock): Promise<void> {
  let passed = 0;
  try {
    for (const moment of MOMENTS) {
      await clock.sleep(moment - passed);
      passed = moment;
      await control.ask('show status');
    }
  } catch {
    // It has ended, which others notice too.
  }
}
