import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, createDeflate, type Deflate, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { HeaderDeflater, HeaderInflater, MAX_HEADER_BYTES } from '#lab/kubelet/stream/spdy/header-zlib.ts';
import { SPDY3_DICTIONARY } from '#wire/spdy/dictionary.ts';
import { decodeHeaders, encodeHeaders } from '#wire/spdy/headers.ts';

/** One block of a zlib stream that goes on, as Go's compress/zlib makes it for spdystream. */
function nextBlock(stream: Deflate, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve) => {
    stream.write(bytes);
    stream.flush(constants.Z_SYNC_FLUSH, () => resolve(stream.read()));
  });
}

test('HeaderInflater follows a zlib stream over many blocks that refer back to one another', async () => {
  const stream = createDeflate({ dictionary: SPDY3_DICTIONARY, level: 9 });
  const inflater = new HeaderInflater();
  for (let turn = 0; turn < 2000; turn++) {
    const headers = new Map([
      ['streamtype', turn % 2 === 0 ? 'error' : 'data'],
      ['port', '8080'],
      ['requestid', `${turn}${'x'.repeat(turn % 50)}`],
    ]);
    assert.deepEqual(decodeHeaders(inflater.inflate(await nextBlock(stream, encodeHeaders(headers)))), headers);
  }
});

test('HeaderInflater reads what HeaderDeflater wrote', () => {
  const inflater = new HeaderInflater();
  const deflater = new HeaderDeflater();
  for (let turn = 0; turn < 20; turn++) {
    const bytes = encodeHeaders(new Map([['turn', String(turn)]]));
    assert.deepEqual(Uint8Array.from(inflater.inflate(deflater.deflate(bytes))), bytes);
  }
});

test('HeaderInflater bounds a deflate bomb', () => {
  const bomb = deflateSync(new Uint8Array(30_000_000), { dictionary: SPDY3_DICTIONARY });
  assert.ok(bomb.length < 32_768);
  assert.throws(() => new HeaderInflater().inflate(bomb), new RegExp(String(MAX_HEADER_BYTES)));
});

test('HeaderInflater meets random bytes with bytes or an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (block) => {
      try {
        assert.ok(new HeaderInflater().inflate(block).length <= MAX_HEADER_BYTES);
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }),
  );
});
