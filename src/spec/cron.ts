/**
 * Schedules of CronJobs: five fields as cron(8) has them, `@hourly` and its like, and `@every 1h30m`, in a time zone.
 * Which fields, names and messages: the standard parser of robfig/cron v3, which Kubernetes uses. Pure.
 */

import { offsetsOfDay, wallOf } from '#spec/time-zone.ts';

export type Schedule =
  | { readonly kind: 'every'; readonly ms: number }
  | {
      readonly kind: 'cron';
      readonly minutes: ReadonlySet<number>;
      readonly hours: ReadonlySet<number>;
      readonly days: ReadonlySet<number>;
      readonly months: ReadonlySet<number>;
      readonly weekdays: ReadonlySet<number>;
      /** A day must fit both fields if one of them is `*`, else either. */
      readonly bothDays: boolean;
    };

export type ParsedSchedule =
  | { readonly kind: 'schedule'; readonly schedule: Schedule }
  | { readonly kind: 'error'; readonly message: string };

interface Field {
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MINUTE: Field = { min: 0, max: 59, names: [] };
const HOUR: Field = { min: 0, max: 23, names: [] };
const DAY: Field = { min: 1, max: 31, names: [] };
const MONTH: Field = { min: 1, max: 12, names: MONTHS };
const WEEKDAY: Field = { min: 0, max: 6, names: WEEKDAYS };

const DESCRIPTORS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Days after which a schedule that has not come up never will: 29 February may be eight years away. */
const HORIZON_DAYS = 366 * 8 + 2;

class CronError extends Error {
  override readonly name = 'CronError';
}

// `*/15 9-17 * * mon-fri` and the like.
export function parseSchedule(text: string): ParsedSchedule {
  try {
    return { kind: 'schedule', schedule: read(text) };
  } catch (error) {
    if (error instanceof CronError) return { kind: 'error', message: error.message };
    throw error;
  }
}

function read(text: string): Schedule {
  if (text === '') throw new CronError('empty spec string');
  if (/^(CRON_)?TZ=/.test(text)) throw new CronError('cannot use TZ or CRON_TZ in schedule');
  if (text.startsWith('@every ')) return { kind: 'every', ms: readDuration(text) };
  const plain = text.startsWith('@') ? DESCRIPTORS[text] : text;
  if (plain === undefined) throw new CronError(`unrecognized descriptor: ${text}`);
  const words = plain.trim().split(/\s+/);
  if (words.length !== 5) throw new CronError(`expected exactly 5 fields, found ${words.length}: [${words.join(' ')}]`);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = words;
  return {
    kind: 'cron',
    minutes: readField(minute, MINUTE),
    hours: readField(hour, HOUR),
    days: readField(day, DAY),
    months: readField(month, MONTH),
    weekdays: readField(weekday, WEEKDAY),
    bothDays: hasStar(day) || hasStar(weekday),
  };
}

function hasStar(text: string): boolean {
  return text.split(',').some((part) => /^[*?]/.test(part));
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** At least a second, whole seconds. */
function readDuration(text: string): number {
  const words = text.slice('@every '.length);
  if (!/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(words))
    throw new CronError(`failed to parse duration ${text}: time: invalid duration ${JSON.stringify(words)}`);
  const parts = [...words.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)];
  const ms = parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (UNITS[unit] ?? 0), 0);
  return Math.max(1000, Math.floor(ms / 1000) * 1000);
}

function readField(text: string, field: Field): Set<number> {
  return new Set(text.split(',').flatMap((part) => readRange(part, field)));
}

/** `*`, `5`, `1-5`, each with `/step`; `5/10` is `5-max/10`. */
function readRange(text: string, field: Field): number[] {
  const [range = '', step, ...more] = text.split('/');
  if (more.length > 0) throw new CronError(`too many slashes: ${text}`);
  const [from = '', to, ...others] = range.split('-');
  if (others.length > 0) throw new CronError(`too many hyphens: ${text}`);
  const star = from === '*' || from === '?';
  const first = star ? field.min : readNumber(from, field);
  const open = star || (to === undefined && step !== undefined);
  const last = to !== undefined ? readNumber(to, field) : open ? field.max : first;
  const by = step === undefined ? 1 : readNumber(step, { min: 0, max: 0, names: [] });
  if (first < field.min) throw new CronError(`beginning of range (${first}) below minimum (${field.min}): ${text}`);
  if (last > field.max) throw new CronError(`end of range (${last}) above maximum (${field.max}): ${text}`);
  if (first > last) throw new CronError(`beginning of range (${first}) beyond end of range (${last}): ${text}`);
  if (by === 0) throw new CronError(`step of range should be a positive number: ${text}`);
  return Array.from({ length: Math.floor((last - first) / by) + 1 }, (_, index) => first + index * by);
}

function readNumber(text: string, { min, names }: Field): number {
  const named = names.indexOf(text.toLowerCase());
  if (named >= 0) return named + min;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CronError(
    `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

/** The first time after `after`; undefined if there is none for years. ms since 1970. */
export function nextTime(schedule: Schedule, after: number, timeZone = 'UTC'): number | undefined {
  if (schedule.kind === 'every') return Math.floor(after / 1000) * 1000 + schedule.ms;
  const today = dayOf(after, timeZone);
  for (let day = -1; day < HORIZON_DAYS; day++) {
    const found = timesOfDay(schedule, today + day * DAY_MS, timeZone).find((time) => time > after);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The last time that is later than `after` and not later than `until`; undefined if there is none. ms since 1970. */
export function lastTime(schedule: Schedule, after: number, until: number, timeZone = 'UTC'): number | undefined {
  if (schedule.kind === 'every') {
    const start = Math.floor(after / 1000) * 1000;
    const times = Math.floor((until - start) / schedule.ms);
    return times > 0 ? start + times * schedule.ms : undefined;
  }
  const today = dayOf(until, timeZone);
  for (let day = today + DAY_MS; day > after - 3 * DAY_MS && day > today - HORIZON_DAYS * DAY_MS; day -= DAY_MS) {
    const found = timesOfDay(schedule, day, timeZone).findLast((time) => time <= until);
    if (found !== undefined) return found > after ? found : undefined;
  }
  return undefined;
}

/** How many times lie after `after` and not after `until`; counts to `most`. */
export function countTimes(schedule: Schedule, after: number, until: number, timeZone: string, most: number): number {
  let count = 0;
  let time = nextTime(schedule, after, timeZone);
  while (time !== undefined && time <= until && count < most) {
    count += 1;
    time = nextTime(schedule, time, timeZone);
  }
  return count;
}

/** Midnight of the day in the zone, as if the zone were UTC. */
function dayOf(time: number, timeZone: string): number {
  return Math.floor(wallOf(time, timeZone) / DAY_MS) * DAY_MS;
}

/** All times of a day, ascending. `day`: its midnight as if the zone were UTC. */
function timesOfDay(schedule: Schedule & { kind: 'cron' }, day: number, timeZone: string): number[] {
  if (!fitsDay(schedule, new Date(day))) return [];
  const offsets = offsetsOfDay(day, timeZone);
  const times: number[] = [];
  for (const hour of schedule.hours) {
    for (const minute of schedule.minutes) {
      const wall = day + (hour * 60 + minute) * MINUTE_MS;
      // An hour that a zone skips has no such time, one that it has twice has two.
      for (const offset of offsets)
        if (offsets.length === 1 || wallOf(wall - offset, timeZone) === wall) times.push(wall - offset);
    }
  }
  return times.sort((a, b) => a - b);
}

function fitsDay({ months, days, weekdays, bothDays }: Schedule & { kind: 'cron' }, date: Date): boolean {
  if (!months.has(date.getUTCMonth() + 1)) return false;
  const [day, weekday] = [days.has(date.getUTCDate()), weekdays.has(date.getUTCDay())];
  return bothDays ? day && weekday : day || weekday;
}
