import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeProtobuf } from '#serve/api/protobuf/decode.ts';
import { readMessage } from '#serve/api/protobuf/wire.ts';

/** `kubectl create namespace foo` of kubectl 1.32, as it was sent. */
const NAMESPACE =
  '6b3873000a0f0a02763112094e616d657370616365121b0a130a03666f6f12001a0022002a00320038004200' + '12001a020a001a002200';

describe('decodeProtobuf', () => {
  it('reads what kubectl sends, without what Go writes for nothing', () => {
    const object = decodeProtobuf(Buffer.from(NAMESPACE, 'hex'));
    assert.deepEqual(object, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'foo' }, spec: {}, status: {} });
  });

  it('reads texts, numbers, maps, lists, times and ports', () => {
    const text = (number: number, value: string | Uint8Array) => {
      const bytes = Buffer.from(value);
      return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
    };
    const int = (number: number, value: number) => Buffer.from([number << 3, value]);
    const port = Buffer.concat([text(2, 'TCP'), int(3, 80), text(4, Buffer.concat([int(1, 1), text(3, 'http')]))]);
    const selector = text(2, Buffer.concat([text(1, 'app'), text(2, 'web')]));
    const meta = Buffer.concat([text(1, 's'), text(8, Buffer.from([8, 0x80, 0x94, 0xeb, 0xdc, 3]))]);
    const service = Buffer.concat([text(1, meta), text(2, Buffer.concat([text(1, port), selector]))]);
    const envelope = Buffer.concat([text(1, Buffer.concat([text(1, 'v1'), text(2, 'Service')])), text(2, service)]);
    assert.deepEqual(decodeProtobuf(Buffer.concat([Buffer.from('k8s\0'), envelope])), {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 's',
        creationTimestamp: '2001-09-09T01:46:40Z',
      },
      spec: { ports: [{ protocol: 'TCP', port: 80, targetPort: 'http' }], selector: { app: 'web' } },
    });
  });

  it('refuses a kind that it does not know', () => {
    const bytes = Buffer.from('6b3873000a0b0a05782f7631120258580a', 'hex');
    assert.throws(() => decodeProtobuf(bytes), SyntaxError);
  });

  it('fails on broken bytes in one way only', () => {
    const whole = Buffer.from(NAMESPACE, 'hex');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(whole.length), (noise, cut) => {
        for (const bytes of [
          Buffer.concat([whole.subarray(0, cut), noise]),
          Buffer.concat([Buffer.from('k8s\0'), noise]),
        ]) {
          try {
            decodeProtobuf(bytes);
          } catch (error) {
            assert.ok(error instanceof SyntaxError, String(error));
          }
        }
      }),
    );
  });
});

describe('readMessage', () => {
  it('reads every wire type', () => {
    const message = readMessage(
      Buffer.from([8, 0x96, 1, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 1, 0x61, 0x25, 2, 0, 0, 0]),
    );
    assert.deepEqual([...message.keys()], [1, 2, 3, 4]);
    assert.deepEqual([message.get(1), message.get(2), message.get(4)], [[150n], [1n], [2n]]);
  });

  it('refuses numbers that do not end and lengths beyond the end', () => {
    for (const bytes of [[8], [8, 0x80], [0x1a, 5, 1], [0x0b], Array.from({ length: 12 }, () => 0xff)]) {
      assert.throws(() => readMessage(Uint8Array.from(bytes)), SyntaxError);
    }
  });
});
