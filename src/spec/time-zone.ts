/** Clocks on the wall of a time zone (IANA tz database, as the runtime carries it). */

const formats = new Map<string, Intl.DateTimeFormat>();
const DAY_MS = 86_400_000;

export function isTimeZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** @throws RangeError for a zone that is not known */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const two = '2-digit';
  const fields = { year: 'numeric', month: two, day: two, hour: two, minute: two, second: two } as const;
  const made = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...fields });
  formats.set(timeZone, made);
  return made;
}

/** What a clock on the wall shows, as ms since 1970 as if the zone were UTC. @throws RangeError */
export function wallOf(time: number, timeZone: string): number {
  if (timeZone === 'UTC') return time;
  const at = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
  const parts = formatOf(timeZone).formatToParts(time);
  const whole = Date.UTC(at('year'), at('month') - 1, at('day'), at('hour'), at('minute'), at('second'));
  return whole + (((time % 1000) + 1000) % 1000);
}

/** How far the zone is from UTC, ms, on a day: two values where its clocks are changed. `day`: midnight on the wall. */
export function offsetsOfDay(day: number, timeZone: string): number[] {
  if (timeZone === 'UTC') return [0];
  const offset = (time: number) => wallOf(time, timeZone) - time;
  return [...new Set([offset(day - DAY_MS), offset(day + 2 * DAY_MS)])];
}
