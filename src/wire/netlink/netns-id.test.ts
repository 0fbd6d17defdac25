import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NETNSA_NSID, RTM_GETNSID } from '#wire/netlink/constants.ts';
import { readNetnsId, writeNetnsIdQuery } from '#wire/netlink/netns-id.ts';
import { readMessages } from '#wire/netlink/reader.ts';
import { Writer } from '#wire/netlink/writer.ts';

/** An RTM_NEWNSID as the kernel sends it. */
function reply(id: number): number | undefined {
  const writer = new Writer();
  writer.message(RTM_GETNSID, 0, 1, () => {
    writer.u32(0);
    writer.attrU32(NETNSA_NSID, id >>> 0);
  });
  const [message = assert.fail()] = readMessages(new DataView(writer.bytes.slice().buffer), writer.length);
  return readNetnsId(message);
}

test('readNetnsId reads the number, and -1 as none', () => {
  assert.deepEqual([reply(0), reply(7), reply(-1)], [0, 7, undefined]);
});

test('writeNetnsIdQuery is a struct rtgenmsg and NETNSA_PID', () => {
  const writer = new Writer();
  writeNetnsIdQuery(writer, 258);
  assert.deepEqual([...writer.bytes], [0, 0, 0, 0, 8, 0, 2, 0, 2, 1, 0, 0]);
});

test('readNetnsId ends on any bytes, with a number, none, or a SyntaxError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const view = new DataView(bytes.slice().buffer);
      try {
        const id = readNetnsId({ view, start: 0, end: bytes.length });
        assert.ok(id === undefined || id >= 0);
      } catch (error) {
        assert.ok(error instanceof SyntaxError);
      }
    }),
  );
});
