import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEPLOYMENT } from '#spec/kinds/apps.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import type { Kind, KubeObject } from '#spec/kinds/kind.ts';
import { DAEMON_SET } from '#spec/kinds/workloads.ts';

function errorsOf(kind: Kind, strategy: JsonObject): string[] {
  const labels = { app: 'x' };
  const object: KubeObject = {
    apiVersion: 'apps/v1',
    kind: kind.kind,
    metadata: { name: 'x' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      [kind === DAEMON_SET ? 'updateStrategy' : 'strategy']: strategy,
    },
  };
  kind.defaults?.(object);
  return (kind.validate?.(object) ?? []).map(({ reason, field, message }) => `${reason} ${field}: ${message}`);
}

const rolling = (rollingUpdate: JsonObject) => ({ type: 'RollingUpdate', rollingUpdate });

describe('how a rollout goes', () => {
  const CASES: readonly (readonly [Kind, JsonObject, RegExp | undefined])[] = [
    [DAEMON_SET, {}, undefined],
    [DAEMON_SET, { type: 'OnDelete' }, undefined],
    [DAEMON_SET, rolling({ maxUnavailable: 0, maxSurge: '30%' }), undefined],
    [DAEMON_SET, { type: 'Sometimes' }, /^FieldValueNotSupported spec.updateStrategy.type/],
    [DAEMON_SET, rolling({ maxSurge: 1 }), /rollingUpdate.maxSurge: .*may not be set when maxUnavailable is non-zero/],
    [
      DAEMON_SET,
      rolling({ maxUnavailable: 0 }),
      /^FieldValueRequired .*maxUnavailable: .*cannot be 0 when maxSurge is 0/,
    ],
    [DAEMON_SET, rolling({ maxUnavailable: -1 }), /maxUnavailable: .*must be greater than or equal to 0/],
    [DAEMON_SET, rolling({ maxUnavailable: 0, maxSurge: 'all' }), /maxSurge: .*a valid percent string/],
    [DEPLOYMENT, {}, undefined],
    [DEPLOYMENT, rolling({ maxSurge: 0, maxUnavailable: '0%' }), /maxUnavailable: .*may not be 0 when `maxSurge` is 0/],
    [DEPLOYMENT, rolling({ maxSurge: 'half' }), /maxSurge: .*a valid percent string/],
    [DEPLOYMENT, { type: 'Recreate', rollingUpdate: {} }, /^FieldValueForbidden spec.strategy.rollingUpdate/],
  ];
  for (const [kind, strategy, says] of CASES)
    it(`of a ${kind.kind}: ${JSON.stringify(strategy)} is ${says === undefined ? 'taken' : 'refused'}`, () => {
      const errors = errorsOf(kind, strategy);
      if (says === undefined) assert.deepEqual(errors, []);
      else assert.match(errors.join('\n'), says);
    });
});
