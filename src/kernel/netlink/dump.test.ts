import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dump } from '#kernel/netlink/dump.ts';
import type { Ack } from '#wire/netlink/ack.ts';
import { NLM_F_DUMP_INTR, NLM_F_MULTI } from '#wire/netlink/constants.ts';
import { type Message, readMessages } from '#wire/netlink/reader.ts';
import { Writer } from '#wire/netlink/writer.ts';

const SPEC = { type: 18, what: 'the things', body: () => {}, read: (message: Message) => message.seq };

function message(flags: number, seq: number): Message {
  const writer = new Writer();
  writer.message(16, flags, seq, () => {});
  const [one] = readMessages(new DataView(writer.bytes.slice().buffer), writer.length);
  assert.ok(one);
  return one;
}

/** Answers each request with the next of the scripts: messages and a result. */
function scripted(answers: readonly { flags: number; ack?: Ack }[]) {
  let asked = 0;
  return {
    nextSeq: 1,
    expectMany() {},
    exchange(_: unknown, onMessage: (message: Message) => void): Ack[] {
      const { flags, ack = { errno: 0 } } = answers[Math.min(asked, answers.length - 1)] ?? { flags: 0 };
      onMessage(message(flags, asked++));
      return [ack];
    },
    asked: () => asked,
  };
}

test('dump reads again when the table changed meanwhile', () => {
  const connection = scripted([{ flags: NLM_F_MULTI | NLM_F_DUMP_INTR }, { flags: NLM_F_MULTI }]);
  assert.deepEqual(dump(connection, SPEC), [1]);
});

test('dump gives up, with a sentence, on a table that never holds still', () => {
  assert.throws(() => dump(scripted([{ flags: NLM_F_DUMP_INTR }]), SPEC), /read the things: they change faster/);
});

test('dump of a table that does not exist is empty-handed, not an error; other errors carry the text', () => {
  const ENOENT = 2;
  const EPERM = 1;
  assert.deepEqual(dump(scripted([{ flags: 0, ack: { errno: ENOENT } }]), SPEC), [0]);
  assert.throws(() => dump(scripted([{ flags: 0, ack: { errno: EPERM, text: 'Not you' } }]), SPEC), {
    code: 'EPERM',
    message: /Not you/,
  });
});
