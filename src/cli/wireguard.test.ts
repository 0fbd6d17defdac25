import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encryptionText } from '#cli/wireguard.ts';

test('encryptionText shows ways, the pods without one, and why', () => {
  const way = { from: 'node1', to: 'node2', family: 4, publicKey: 'KEY=', rxBytes: 92, txBytes: 148 } as const;
  const text = encryptionText({
    ways: [way],
    plainPods: ['default/web'],
    problems: ['Node node3 has no key. Give it one.'],
  });
  assert.match(
    text,
    /^NODE +PEER +FAMILY +LAST HANDSHAKE +RECEIVED +SENT +KEY\nnode1 +node2 +IPv4 +never +92 +148 +KEY=\n/,
  );
  assert.match(text, /\nPods spoken to unencrypted: default\/web\n\nNode node3 has no key\. Give it one\.\n$/);
});

test('encryptionText says that nothing is encrypted', () => {
  assert.equal(encryptionText({ ways: [], plainPods: [], problems: [] }), 'Nothing is encrypted between nodes.\n');
});
