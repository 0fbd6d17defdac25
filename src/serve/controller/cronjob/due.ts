/** Which time of its schedule a CronJob has to begin a Job for, and when the next comes. */

import { timeOf } from '#serve/controller/world.ts';
import type { CronJob } from '#spec/batch.ts';
import { countTimes, lastTime, nextTime, parseSchedule } from '#spec/cron.ts';
import { isTimeZone } from '#spec/time-zone.ts';

export type Due =
  /** It says something that nobody can keep to. */
  | { readonly kind: 'unreadable'; readonly reason: string; readonly message: string }
  | {
      readonly kind: 'known';
      /** The last time that has come and has had no Job, ms since 1970. */
      readonly at?: number;
      /** It may no longer be started: too late by `startingDeadlineSeconds`. */
      readonly late: boolean;
      /** More times were missed than a pause explains. */
      readonly manyMissed: boolean;
      /** ms until the next time. */
      readonly againMs?: number;
    };

const MANY = 100;

export function dueOf(cron: CronJob, now: number): Due {
  const { schedule: text, timeZone = 'UTC', startingDeadlineSeconds } = cron.spec;
  const parsed = parseSchedule(text);
  if (parsed.kind === 'error')
    return {
      kind: 'unreadable',
      reason: 'UnparseableSchedule',
      message: `unparseable schedule: ${text} : ${parsed.message}`,
    };
  if (!isTimeZone(timeZone))
    return {
      kind: 'unreadable',
      reason: 'UnknownTimeZone',
      message: `invalid timeZone: ${timeZone}: unknown time zone ${timeZone}`,
    };
  const begun = timeOf(cron.status?.lastScheduleTime) || timeOf(cron.metadata.creationTimestamp);
  const deadlineMs = startingDeadlineSeconds === undefined ? undefined : startingDeadlineSeconds * 1000;
  const since = deadlineMs === undefined ? begun : Math.max(begun, now - deadlineMs);
  const at = lastTime(parsed.schedule, begun, now, timeZone);
  const next = nextTime(parsed.schedule, Math.max(now, begun), timeZone);
  return {
    kind: 'known',
    ...(at === undefined ? {} : { at }),
    late: at !== undefined && at < since,
    manyMissed: at !== undefined && countTimes(parsed.schedule, since, now, timeZone, MANY + 1) > MANY,
    ...(next === undefined ? {} : { againMs: next - now }),
  };
}
