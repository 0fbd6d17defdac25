/** Signals that wait while a system call runs that they would break off. */

import koffi from 'koffi';

const pthreadSigmask: (how: number, set: unknown, old: unknown) => number = koffi
  .load(null)
  .func('int pthread_sigmask(int how, void *set, void *old)');

const SIG_BLOCK = 0;
const SIG_SETMASK = 2;
/** Bytes of glibc's and musl's sigset_t. */
const SET = 128;
const all = Buffer.alloc(SET, 0xff);
const before = Buffer.alloc(SET);

/** Runs `fn` on this thread with every signal held back until it is done. It must be synchronous. */
export function withoutSignals<T>(fn: () => T): T {
  pthreadSigmask(SIG_BLOCK, all, before);
  try {
    return fn();
  } finally {
    pthreadSigmask(SIG_SETMASK, before, null);
  }
}
