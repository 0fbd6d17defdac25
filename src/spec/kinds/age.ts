/** Durations as kubectl prints them. */

/** How long ago an RFC 3339 time was, as `kubectl get` shows it (`5s`, `3m12s`, `2d4h`); `<unknown>` without a time. */
export function ageOf(time: string, now: number): string {
  const then = Date.parse(time);
  return Number.isNaN(then) ? '<unknown>' : humanDuration(Math.floor((now - then) / 1000));
}

/** Seconds as `k8s.io/apimachinery/pkg/util/duration` HumanDuration prints them: two units at most. */
export function humanDuration(seconds: number): string {
  if (seconds < -1) return '<invalid>';
  if (seconds < 120) return `${Math.max(0, seconds)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 192) return pair(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.floor(days / 365);
  return days < 2920 ? pair(years, 'y', days % 365, 'd') : `${years}y`;
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
