import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Batch } from '#kernel/netlink/connection.ts';
import type { KnownLink, OpFailure } from '#kernel/netlink/handle.ts';
import { Runner } from '#kernel/netlink/run.ts';
import { address, MAC, route } from '#kernel/netlink/testing/scripts.ts';
import { parseAddr } from '#net/addr.ts';
import type { Ack } from '#wire/netlink/ack.ts';
import { NLM_F_ACK, RTM_GETLINK, RTM_NEWLINK } from '#wire/netlink/constants.ts';
import { readLinkName } from '#wire/netlink/link.ts';
import { type Message, readMessages } from '#wire/netlink/reader.ts';
import { type NetlinkOp, NUD_PERMANENT } from '#wire/netlink/values.ts';
import { Writer } from '#wire/netlink/writer.ts';

const ENODEV = 19;
const RTM_SETLINK = 19;

function messagesOf(bytes: Uint8Array): Message[] {
  return readMessages(new DataView(bytes.slice().buffer), bytes.length);
}

/** The answer to a look-up. */
function linkMessage(seq: number, name: string): Message {
  const writer = new Writer();
  writer.message(RTM_NEWLINK, 0, seq, () => {
    for (const word of [0, 42, 0, 0]) writer.u32(word);
    writer.attrText(3, name);
  });
  const [message] = messagesOf(writer.bytes);
  assert.ok(message);
  return message;
}

/** Runs against a kernel in which the named interfaces are, and that does everything; tells the messages of each send. */
function runIn(
  links: ReadonlySet<string>,
  ops: readonly NetlinkOp[],
  known: readonly KnownLink[] = [],
): { sends: number[][]; failures: OpFailure[] } {
  const sends: number[][] = [];
  let nextSeq = 0xfffffffe;
  const runner = new Runner(
    {
      get nextSeq() {
        return nextSeq;
      },
      writer: new Writer(),
    },
    ops,
    known,
  );
  const answer = ({ bytes, firstSeq, count }: Batch): Ack[] => {
    nextSeq = (firstSeq + count) >>> 0;
    const messages = messagesOf(bytes);
    sends.push(messages.map(({ type }) => type));
    assert.equal(messages.length, count);
    assert.ok(count > 0);
    assert.deepEqual(
      messages.map(({ flags }) => (flags & NLM_F_ACK) !== 0),
      messages.map(({ type }, i) => i === count - 1 && type !== RTM_GETLINK),
      'only the last is acknowledged, if it is no look-up',
    );
    return messages.map((message, i) => {
      assert.equal(message.seq, (firstSeq + i) >>> 0);
      if (message.type !== RTM_GETLINK) return { errno: 0 };
      const { name } = readLinkName(message);
      if (links.has(name)) runner.onMessage(linkMessage(message.seq, name));
      return { errno: links.has(name) ? 0 : ENODEV };
    });
  };
  const steps = runner.steps();
  let step = steps.next();
  while (!step.done) step = steps.next(answer(step.value));
  return { sends, failures: step.value };
}

const POD: readonly NetlinkOp[] = [
  { op: 'link.set', name: 'eth0', change: { up: true } },
  { op: 'addr.add', address: address('eth0', '10.244.1.2/32') },
  { op: 'route.add', route: route('169.254.1.1/32', { hops: [{ link: 'eth0' }] }) },
  { op: 'neigh.replace', neighbour: { link: 'eth0', addr: parseAddr('169.254.1.1'), mac: MAC, state: NUD_PERMANENT } },
];

test('operations on an interface that is there take one look-up and one send', () => {
  const { sends, failures } = runIn(new Set(['eth0']), POD);
  assert.deepEqual(failures, []);
  assert.deepEqual(sends, [
    [RTM_SETLINK, RTM_GETLINK],
    [20, 24, 28],
  ]);
});

test('operations on an interface that is known take one send', () => {
  const { sends, failures } = runIn(new Set(), POD, [{ name: 'eth0', index: 2 }]);
  assert.deepEqual(failures, []);
  assert.deepEqual(sends, [[RTM_SETLINK, 20, 24, 28]]);
});

test('an interface is made and looked up in one send, and used in the next', () => {
  const make: NetlinkOp = {
    op: 'link.add',
    link: { name: 'cali1', info: { kind: 'veth' }, peer: { name: 'eth0', netns: 3 } },
  };
  const { sends } = runIn(new Set(['cali1']), [
    make,
    { op: 'route.add', route: route('10.244.1.2/32', { hops: [{ link: 'cali1' }] }) },
  ]);
  assert.deepEqual(sends, [[RTM_NEWLINK, RTM_GETLINK], [24]]);
});

test('an operation on an interface that is not there fails alone', () => {
  const missing: NetlinkOp = { op: 'addr.add', address: address('nope', '10.0.0.1/24') };
  const { failures } = runIn(new Set(['eth0']), [missing, ...POD, missing]);
  assert.deepEqual(
    failures.map(({ op, code, text }) => [op, code, text]),
    [
      [missing, 'ENODEV', 'no interface "nope"'],
      [missing, 'ENODEV', 'no interface "nope"'],
    ],
  );
});

test('an interface with an alias whose master is not there is not made, and nothing is sent but the look-up', () => {
  const make: NetlinkOp = {
    op: 'link.add',
    link: { name: 'v', info: { kind: 'veth' }, alias: 'mine', master: 'nope' },
  };
  const { sends, failures } = runIn(new Set(), [make]);
  assert.deepEqual(sends, [[RTM_GETLINK]]);
  assert.deepEqual(
    failures.map(({ code }) => code),
    ['ENODEV'],
  );
});

test('many operations go off in batches that the answers fit', () => {
  const { sends } = runIn(
    new Set(['eth0']),
    Array.from({ length: 1500 }, () => POD[1]).filter((op) => op !== undefined),
  );
  assert.deepEqual(
    sends.map((types) => types.length),
    [1, 512, 512, 476],
  );
});
