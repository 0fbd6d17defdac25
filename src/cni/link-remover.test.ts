import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinkRemover } from '#cni/link-remover.ts';
import { FakeNetlink } from '#kernel/netlink/fake/fake.ts';
import type { Netlink, OpFailure } from '#kernel/netlink/handle.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

/** Answers once it may. */
class Held extends FakeNetlink {
  readonly #may: Promise<void>;
  readonly #closed: () => void;

  constructor(may: Promise<void>, closed: () => void) {
    super();
    this.#may = may;
    this.#closed = closed;
  }

  override async runAsync(ops: readonly NetlinkOp[]): Promise<OpFailure[]> {
    await this.#may;
    return this.run(ops);
  }

  override close(): void {
    this.#closed();
  }

  override [Symbol.dispose](): void {
    this.close();
  }
}

/** Handles whose number, counted from 1, is `refused` cannot be had. */
function opener(refused: number, may: Promise<void> = Promise.resolve()) {
  const count = { asked: 0, open: 0 };
  const atRefusal = Promise.withResolvers<void>();
  const open = (): Netlink => {
    if (++count.asked === refused) {
      atRefusal.resolve();
      throw new Error('EMFILE');
    }
    count.open++;
    return new Held(may, () => count.open--);
  };
  return { count, open, refusal: atRefusal.promise };
}

for (const [which, refused] of [
  ['first', 1],
  ['second', 2],
] as const) {
  test(`LinkRemover whose ${which} handle is refused tells everybody who waits, keeps nothing open, and tries anew`, async () => {
    const { count, open } = opener(refused);
    using remover = new LinkRemover(open);
    const both = [remover.remove('a'), remover.remove('b')];
    for (const removal of both) await assert.rejects(removal, /EMFILE/);
    assert.equal(count.open, 0);
    await remover.remove('a');
    assert.equal(count.open, 2);
  });
}

test('LinkRemover that can open no lane beside a busy one goes on when that is free', async () => {
  const may = Promise.withResolvers<void>();
  const { count, open, refusal } = opener(3, may.promise);
  using remover = new LinkRemover(open);
  const first = remover.remove('a');
  await new Promise<void>((resolve) => setImmediate(resolve));
  const second = remover.remove('b');
  await refusal;
  may.resolve();
  await Promise.all([first, second]);
  assert.equal(count.open, 2);
});
