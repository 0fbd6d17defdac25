import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signatureCounts } from '#kernel/tcp-signatures.ts';

test('signatureCounts finds its numbers by name, wherever they stand', () => {
  const text =
    'TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure Last\n' +
    'TcpExt: 9 1 2 3 8\nIpExt: InNoRoutes\nIpExt: 7\n';
  assert.deepEqual(signatureCounts(text), { notFound: 1, unexpected: 2, failure: 3 });
  assert.deepEqual(signatureCounts('TcpExt: Other\nTcpExt: 5\n'), { notFound: 0, unexpected: 0, failure: 0 });
});
