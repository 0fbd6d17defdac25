/** Events end an hour after they last happened, as Kubernetes' do (`--event-ttl`): else a lab that runs for days would keep them all. */
import type { Api } from '#serve/api/api.ts';
import { dropObject, readStored } from '#serve/api/storage.ts';
import { EVENT } from '#spec/kinds/core/event.ts';
import { textAt } from '#spec/kinds/json.ts';
import { type KubeObject, resourceOf } from '#spec/kinds/kind.ts';

const LIFETIME_MS = 3_600_000;
const EVERY_MS = 60_000;
/** In one go: requests wait meanwhile. The rest goes a minute later. */
const MOST = 500;

/** Looks once a minute, until it is disposed. */
export function endOldEvents(api: Api): Disposable {
  const timer = setInterval(() => attempt(api), EVERY_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** A failure (a full disk) is logged; the next minute tries again. */
function attempt(api: Api): void {
  try {
    dropOldEvents(api, api.now());
  } catch (error) {
    api.log.error({ err: error }, 'cannot end old events');
  }
}

/** Removes what last happened more than an hour before `now` (milliseconds). */
export function dropOldEvents(api: Pick<Api, 'store'>, now: number): void {
  const events = api.store.list(resourceOf(EVENT)).map(readStored);
  for (const event of events.filter((one) => now - lastTimeOf(one) > LIFETIME_MS).slice(0, MOST)) {
    const key = {
      resource: resourceOf(EVENT),
      namespace: textAt(event, 'metadata', 'namespace'),
      name: event.metadata.name,
    };
    dropObject(api, EVENT, key, event);
  }
}

function lastTimeOf(event: KubeObject): number {
  const times = [
    textAt(event, 'series', 'lastObservedTime'),
    textAt(event, 'lastTimestamp'),
    textAt(event, 'eventTime'),
    textAt(event, 'metadata', 'creationTimestamp'),
  ].map((text) => Date.parse(text));
  return Math.max(...times.filter((time) => !Number.isNaN(time)));
}
