import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameDecoder, MAX_CONTROL_PAYLOAD } from '#wire/spdy/decode.ts';
import { SPDY3_DICTIONARY } from '#wire/spdy/dictionary.ts';
import { encodeDataHeader, encodeFrame } from '#wire/spdy/encode.ts';
import { CONTROL_TYPE, type Frame, MAX_PAYLOAD } from '#wire/spdy/frames.ts';
import { decodeHeaders, encodeHeaders, MAX_HEADERS } from '#wire/spdy/headers.ts';

const id31 = fc.integer({ min: 0, max: 0x7fff_ffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const byte = fc.integer({ min: 0, max: 255 });
const bytes = fc.uint8Array({ maxLength: 300 });
const known: readonly number[] = Object.values(CONTROL_TYPE);

const frames = {
  data: fc.record({ kind: fc.constant('data'), stream: id31, fin: fc.boolean(), data: bytes }),
  'syn-stream': fc.record({
    kind: fc.constant('syn-stream'),
    stream: id31,
    associated: id31,
    priority: fc.integer({ min: 0, max: 7 }),
    slot: byte,
    fin: fc.boolean(),
    unidirectional: fc.boolean(),
    block: bytes,
  }),
  'syn-reply': fc.record({ kind: fc.constant('syn-reply'), stream: id31, fin: fc.boolean(), block: bytes }),
  'rst-stream': fc.record({ kind: fc.constant('rst-stream'), stream: id31, status: u32 }),
  settings: fc.record({
    kind: fc.constant('settings'),
    clear: fc.boolean(),
    entries: fc.array(fc.record({ id: fc.integer({ min: 0, max: 0xff_ffff }), flags: byte, value: u32 }), {
      maxLength: 5,
    }),
  }),
  ping: fc.record({ kind: fc.constant('ping'), id: u32 }),
  goaway: fc.record({ kind: fc.constant('goaway'), lastStream: id31, status: u32 }),
  headers: fc.record({ kind: fc.constant('headers'), stream: id31, fin: fc.boolean(), block: bytes }),
  'window-update': fc.record({ kind: fc.constant('window-update'), stream: id31, delta: id31 }),
  unknown: fc.record({
    kind: fc.constant('unknown'),
    type: fc.integer({ min: 0, max: 0xffff }).filter((type) => !known.includes(type)),
    flags: byte,
    payload: bytes,
  }),
} satisfies { [K in Frame['kind']]: fc.Arbitrary<Extract<Frame, { kind: K }>> };

const frame: fc.Arbitrary<Frame> = fc.oneof(...Object.values(frames));

function plain(value: Frame): unknown {
  return JSON.parse(JSON.stringify(value, (_, item) => (item instanceof Uint8Array ? [...item] : item)));
}

test('FrameDecoder gives back every frame that encodeFrame wrote', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), (list) => {
      const wire = Uint8Array.from(Buffer.concat(list.map(encodeFrame)));
      assert.deepEqual([...new FrameDecoder().push(wire)].map(plain), list.map(plain));
    }),
  );
});

test('FrameDecoder does not care how the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (list, cuts) => {
        const wire = Uint8Array.from(Buffer.concat(list.map(encodeFrame)));
        const decoder = new FrameDecoder();
        const got: Frame[] = [];
        for (let at = 0, turn = 0; at < wire.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1;
          got.push(...decoder.push(wire.subarray(at, at + size)));
          at += size;
        }
        assert.deepEqual(joined(got), joined(list));
      },
    ),
  );
});

/** Control frames as they are, data as bytes in a row: what does not change when frames are cut up. */
function joined(list: readonly Frame[]): unknown {
  const data = list.filter((item) => item.kind === 'data').flatMap((item) => [...item.data]);
  const fins = list.filter((item) => item.kind === 'data' && item.fin).length;
  return [list.filter((item) => item.kind !== 'data').map(plain), data, fins];
}

test('FrameDecoder meets random bytes with frames or an error of its own, never anything else', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), fc.boolean(), (chunks, asControl) => {
      const decoder = new FrameDecoder();
      const start = asControl ? [Uint8Array.of(0x80, 3, 0), ...chunks] : chunks;
      try {
        for (const chunk of start) for (const item of decoder.push(chunk)) assert.ok(item.kind.length > 0);
      } catch (error) {
        assert.ok(error instanceof SyntaxError || error instanceof RangeError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('FrameDecoder refuses a long control frame at its header, before its payload is there', () => {
  const huge = Uint8Array.of(0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff);
  assert.throws(() => [...new FrameDecoder().push(huge)], RangeError);
  const most = encodeFrame({ kind: 'unknown', type: 99, flags: 0, payload: new Uint8Array(MAX_CONTROL_PAYLOAD) });
  assert.equal([...new FrameDecoder().push(most)].length, 1);
});

test('FrameDecoder refuses other versions and wrong lengths', () => {
  assert.throws(() => [...new FrameDecoder().push(Uint8Array.of(0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1))], /version 2/);
  assert.throws(() => [...new FrameDecoder().push(Uint8Array.of(0x80, 3, 0, 6, 0, 0, 0, 3, 0, 0, 1))], /PING: 3 bytes/);
  assert.throws(
    () => [...new FrameDecoder().push(Uint8Array.of(0x80, 3, 0, 4, 0, 0, 0, 4, 255, 0, 0, 0))],
    SyntaxError,
  );
});

test('FrameDecoder passes on 16 MB of data without gathering it', () => {
  const decoder = new FrameDecoder();
  assert.deepEqual([...decoder.push(encodeDataHeader(5, true, MAX_PAYLOAD))], []);
  const piece = new Uint8Array(65_536);
  const [first] = [...decoder.push(piece)];
  assert.ok(first?.kind === 'data' && first.data.buffer === piece.buffer && !first.fin);
});

test('encodeFrame refuses a payload that its length cannot say', () => {
  assert.throws(() => encodeDataHeader(1, false, MAX_PAYLOAD + 1), RangeError);
});

test('decodeHeaders gives back what encodeHeaders wrote', () => {
  const name = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }).map((text) => text.toLowerCase());
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string({ unit: 'grapheme' })), { maxLength: 20 }), (pairs) => {
      const headers = new Map(pairs);
      assert.deepEqual(decodeHeaders(encodeHeaders(headers)), headers);
    }),
  );
});

test('decodeHeaders meets random bytes with headers or an error of its own', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (block, few) => {
      const start = few ? Uint8Array.of(0, 0, 0, 2, ...block) : block;
      try {
        assert.ok(decodeHeaders(start) instanceof Map);
      } catch (error) {
        assert.ok(error instanceof SyntaxError || error instanceof RangeError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('decodeHeaders refuses twins, leftovers and crowds', () => {
  const pair = [0, 0, 0, 1, 97, 0, 0, 0, 0];
  assert.throws(() => decodeHeaders(Uint8Array.of(0, 0, 0, 2, ...pair, ...pair)), /stands twice/);
  assert.throws(() => decodeHeaders(Uint8Array.of(0, 0, 0, 1, ...pair, 0)), /after the last/);
  assert.throws(() => decodeHeaders(Uint8Array.of(0, 0, 0, MAX_HEADERS + 1)), RangeError);
});

test('SPDY3_DICTIONARY is the published one', () => {
  let low = 1;
  let high = 0;
  for (const value of SPDY3_DICTIONARY) {
    low = (low + value) % 65_521;
    high = (high + low) % 65_521;
  }
  assert.equal(SPDY3_DICTIONARY.length, 1423);
  assert.equal((high * 65_536 + low).toString(16), 'e3c6a7c2');
});
