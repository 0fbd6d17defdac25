/** Tools that single cases need. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingTool } from '#cni/conformance/needs.ts';

test('missingTool names what a case at a port lacks, and nothing for other cases', () => {
  const isThere = (name: string) => name !== 'socat';
  assert.equal(missingTool('portmap/traffic.tcp', isThere), 'socat');
  assert.equal(missingTool('portmap/input.key-case', isThere), 'socat');
  assert.equal(missingTool('portmap/add.result', isThere), undefined);
  assert.equal(
    missingTool('portmap/traffic.tcp', () => true),
    undefined,
  );
});
