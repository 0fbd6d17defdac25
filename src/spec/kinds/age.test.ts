import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ageOf, humanDuration } from '#spec/kinds/age.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const ROWS: readonly (readonly [number, string])[] = [
  [-5, '<invalid>'],
  [-1, '0s'],
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [125, '2m5s'],
  [9 * MINUTE + 59, '9m59s'],
  [10 * MINUTE + 30, '10m'],
  [179 * MINUTE, '179m'],
  [3 * HOUR, '3h'],
  [3 * HOUR + 5 * MINUTE, '3h5m'],
  [8 * HOUR + 5 * MINUTE, '8h'],
  [47 * HOUR, '47h'],
  [2 * DAY + 4 * HOUR, '2d4h'],
  [8 * DAY + 4 * HOUR, '8d'],
  [729 * DAY, '729d'],
  [2 * 365 * DAY + DAY, '2y1d'],
  [9 * 365 * DAY, '9y'],
];

describe('humanDuration', () => {
  for (const [seconds, want] of ROWS)
    it(`prints ${seconds} s as ${want}`, () => assert.equal(humanDuration(seconds), want));
});

describe('ageOf', () => {
  it('counts from an RFC 3339 time', () => {
    assert.equal(ageOf('2030-01-01T00:00:00Z', Date.parse('2030-01-01T00:05:03Z')), '5m3s');
  });
  it('is unknown without a time', () => assert.equal(ageOf('', 0), '<unknown>'));
});
