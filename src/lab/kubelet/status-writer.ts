/** Carries pods' statuses to the API: the newest wins, equal ones are not sent, failures are tried again. */

import { isDeepStrictEqual } from 'node:util';
import { ApiError, isNotFound } from '#feed/api-error.ts';
import type { PodStatus, RunnablePod } from '#lab/kubelet/pod.ts';

/** Sends one status; rejects with `ApiError` or `ApiUnreachable`. */
export type SendStatus = (pod: RunnablePod, status: PodStatus) => Promise<unknown>;

interface Entry {
  pod: RunnablePod;
  wanted: PodStatus;
  acked?: PodStatus;
  sending: boolean;
  timer?: NodeJS.Timeout;
  failures: number;
}

/** A status in which nothing runs yet is soon followed by one in which it does: it may wait for that, ms. */
const LINGER_MS = 150;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;

export class StatusWriter {
  readonly #send: SendStatus;
  readonly #entries = new Map<string, Entry>();
  readonly #onError: (pod: RunnablePod, error: unknown) => void;

  constructor(send: SendStatus, onError: (pod: RunnablePod, error: unknown) => void = () => {}) {
    this.#send = send;
    this.#onError = onError;
  }

  /** `lingers`: it need not be sent at once. */
  submit(pod: RunnablePod, status: PodStatus, lingers: boolean): void {
    const uid = pod.metadata.uid;
    const entry = this.#entries.get(uid) ?? { pod, wanted: status, sending: false, failures: 0 };
    this.#entries.set(uid, entry);
    entry.pod = pod;
    entry.wanted = status;
    if (entry.sending || this.#isAcked(entry)) return;
    if (entry.timer !== undefined) {
      if (lingers || entry.failures > 0) return;
      clearTimeout(entry.timer);
    }
    if (lingers) this.#later(entry, LINGER_MS);
    else void this.#flush(entry);
  }

  /** What was last sent and taken; undefined before that. */
  acked(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.acked;
  }

  /** The pod is gone: nothing more is sent. */
  forget(uid: string): void {
    clearTimeout(this.#entries.get(uid)?.timer);
    this.#entries.delete(uid);
  }

  close(): void {
    for (const uid of [...this.#entries.keys()]) this.forget(uid);
  }

  #isAcked(entry: Entry): boolean {
    return entry.acked !== undefined && isDeepStrictEqual(entry.acked, entry.wanted);
  }

  #later(entry: Entry, ms: number): void {
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => void this.#flush(entry), ms);
  }

  async #flush(entry: Entry): Promise<void> {
    delete entry.timer;
    if (entry.sending) return;
    entry.sending = true;
    const sent = entry.wanted;
    try {
      await this.#send(entry.pod, sent);
      entry.acked = sent;
      entry.failures = 0;
    } catch (error) {
      this.#failed(entry, error);
    }
    entry.sending = false;
    if (this.#entries.get(entry.pod.metadata.uid) !== entry || this.#isAcked(entry)) return;
    if (entry.failures > 0) this.#later(entry, Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** entry.failures));
    else void this.#flush(entry);
  }

  #failed(entry: Entry, error: unknown): void {
    const isGone = isNotFound(error) || (error instanceof ApiError && error.code === 409);
    if (isGone) {
      entry.acked = entry.wanted; // deleted, or replaced by another pod of its name: the watch will say so
      entry.failures = 0;
      return;
    }
    entry.failures++;
    this.#onError(entry.pod, error);
  }
}
