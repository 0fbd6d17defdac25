import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countTimes, lastTime, nextTime, parseSchedule, type Schedule } from '#spec/cron.ts';
import { isTimeZone } from '#spec/time-zone.ts';

const at = (text: string) => Date.parse(text);
const text = (time: number | undefined) => (time === undefined ? 'never' : new Date(time).toISOString().slice(0, 16));

function schedule(words: string): Schedule {
  const parsed = parseSchedule(words);
  assert.equal(parsed.kind, 'schedule', words);
  return parsed.kind === 'schedule' ? parsed.schedule : assert.fail();
}

const next = (words: string, after: string, zone?: string) => text(nextTime(schedule(words), at(after), zone));

test('nextTime: the first time after another', () => {
  for (const [words, after, expected] of [
    ['* * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:01'],
    ['*/15 * * * *', '2026-01-01T00:07:00Z', '2026-01-01T00:15'],
    ['5/20 * * * *', '2026-01-01T00:26:00Z', '2026-01-01T00:45'],
    ['0 9-17/4 * * mon-fri', '2026-01-02T17:00:00Z', '2026-01-05T09:00'],
    ['30 6 1,15 * ?', '2026-01-01T07:00:00Z', '2026-01-15T06:30'],
    ['0 0 29 feb *', '2026-01-01T00:00:00Z', '2028-02-29T00:00'],
    // Both days are given: either will do.
    ['0 0 13 * FRI', '2026-01-10T00:00:00Z', '2026-01-13T00:00'],
    ['0 0 13 * FRI', '2026-01-13T00:00:00Z', '2026-01-16T00:00'],
    ['@hourly', '2026-01-01T23:59:59Z', '2026-01-02T00:00'],
    ['@weekly', '2026-01-01T00:00:00Z', '2026-01-04T00:00'],
    ['@yearly', '2026-01-01T00:00:00Z', '2027-01-01T00:00'],
    ['@every 1h30m', '2026-01-01T00:00:00Z', '2026-01-01T01:30'],
    ['0 0 31 feb *', '2026-01-01T00:00:00Z', 'never'],
  ] as const)
    assert.equal(next(words, after), expected, words);
});

test('nextTime: in a time zone, over the changes of its clocks', () => {
  assert.equal(next('0 9 * * *', '2026-01-01T00:00:00Z', 'Asia/Tokyo'), '2026-01-02T00:00');
  assert.equal(next('30 9 * * *', '2026-01-01T00:00:00Z', 'Asia/Kolkata'), '2026-01-01T04:00');
  assert.equal(next('0 9 * * *', '2026-03-28T09:00:00Z', 'Europe/Berlin'), '2026-03-29T07:00');
  // 02:30 is skipped on 29 March, and comes twice on 25 October.
  assert.equal(next('30 2 * * *', '2026-03-28T12:00:00Z', 'Europe/Berlin'), '2026-03-30T00:30');
  assert.equal(next('30 2 * * *', '2026-10-24T12:00:00Z', 'Europe/Berlin'), '2026-10-25T00:30');
  assert.equal(next('30 2 * * *', '2026-10-25T00:30:00Z', 'Europe/Berlin'), '2026-10-25T01:30');
  assert.deepEqual(
    [isTimeZone('Europe/Berlin'), isTimeZone('Etc/UTC'), isTimeZone('Middle/Earth')],
    [true, true, false],
  );
});

test('parseSchedule: what is wrong is said in the words of the parser that Kubernetes uses', () => {
  for (const [words, message] of [
    ['', 'empty spec string'],
    ['* * *', 'expected exactly 5 fields, found 3: [* * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['* 9-5 * * *', 'beginning of range (9) beyond end of range (5): 9-5'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['x * * * *', 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
    ['* * * * 7', 'end of range (7) above maximum (6): 7'],
    ['@never', 'unrecognized descriptor: @never'],
    ['@every soon', 'failed to parse duration @every soon: time: invalid duration "soon"'],
    ['TZ=UTC * * * * *', 'cannot use TZ or CRON_TZ in schedule'],
  ] as const)
    assert.deepEqual(parseSchedule(words), { kind: 'error', message }, words);
});

test('parseSchedule: any text is a schedule or an error, never an exception', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^([*\d/,-]{1,6} ?){5}$/)), (words) => {
      assert.ok(['schedule', 'error'].includes(parseSchedule(words).kind));
    }),
  );
});

test('lastTime is the last of the times that nextTime gives, in every zone', () => {
  const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe');
  const words = fc.constantFrom('*/20 * * * *', '30 2 * * *', '0 0,12 * * 1-5', '@every 7h', '15 1 25 10 *');
  const start = fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2026-12-01T00:00:00Z') });
  fc.assert(
    fc.property(words, start, fc.nat(4 * 86_400_000), zones, (line, after, span, zone) => {
      const one = schedule(line);
      let last: number | undefined;
      let count = 0;
      for (let time = nextTime(one, after, zone); time !== undefined && time <= after + span; count++) {
        last = time;
        time = nextTime(one, time, zone);
      }
      assert.equal(lastTime(one, after, after + span, zone), last);
      assert.equal(countTimes(one, after, after + span, zone, 1000), count);
    }),
    { numRuns: 60 },
  );
});
