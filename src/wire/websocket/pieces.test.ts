import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WebSocketPieces } from '#wire/websocket/pieces.ts';

const HEAD = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n');

/** A frame as RFC 6455 §5.2 writes it; its payload may stand there in any of the three lengths that fit. */
function frame(size: number, mask: boolean): Buffer {
  const extra = size > 0xffff ? 8 : size > 125 ? 2 : 0;
  const header = Buffer.alloc(2 + extra + (mask ? 4 : 0));
  header[0] = 0x82;
  header[1] = (mask ? 0x80 : 0) | (extra === 8 ? 127 : extra === 2 ? 126 : size);
  if (extra === 2) header.writeUInt16BE(size, 2);
  if (extra === 8) header.writeBigUInt64BE(BigInt(size), 2);
  return Buffer.concat([header, Buffer.alloc(size, 0x55)]);
}

const size = fc.oneof(fc.integer({ min: 0, max: 130 }), fc.constantFrom(125, 126, 65_535, 65_536));
const frames = fc.array(fc.tuple(size, fc.boolean()), { maxLength: 5 });

test('WebSocketPieces gives each frame its own pieces, however the bytes come', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }), (list, cuts) => {
      const units = [HEAD, ...list.map(([length, mask]) => frame(length, mask))];
      const wire = Buffer.concat(units);
      const bounds = new Set(units.map((_, index) => Buffer.concat(units.slice(0, index + 1)).length));
      const pieces = new WebSocketPieces();
      let at = 0;
      for (let from = 0, turn = 0; from < wire.length; turn++) {
        const cut = cuts[turn % cuts.length] ?? 1;
        for (const piece of pieces.push(wire.subarray(from, from + cut))) {
          assert.ok(wire.subarray(at, at + piece.length).equals(piece));
          for (let inside = at + 1; inside < at + piece.length; inside++) assert.ok(!bounds.has(inside));
          at += piece.length;
        }
        from += cut;
      }
      assert.equal(at, wire.length);
    }),
    { numRuns: 50 },
  );
});

test('WebSocketPieces passes on random bytes unharmed', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (chunks) => {
      const pieces = new WebSocketPieces();
      const got = [HEAD, ...chunks].flatMap((chunk) => [...pieces.push(chunk)]);
      assert.ok(Buffer.concat(got).equals(Buffer.concat([HEAD, ...chunks])));
    }),
  );
});
