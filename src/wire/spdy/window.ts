import { DEFAULT_WINDOW } from '#wire/spdy/frames.ts';

/**
 * What a sender may still put on the way: a window for each stream and one for the session (SPDY Protocol Draft 3.1
 * §2.6.8).
 *
 * Kubernetes' own library for SPDY neither keeps windows nor ever enlarges ours: a sender that held to them would stop
 * after 64 KiB for good. So everything is counted from the start, and a window binds only from the moment when the
 * peer shows, by an update or a setting, that it keeps such windows.
 */
export class SendWindows {
  readonly #streams = new Map<number, number>();
  #session = DEFAULT_WINDOW;
  #initial = DEFAULT_WINDOW;
  #streamsBind = false;
  #sessionBinds = false;

  open(stream: number): void {
    this.#streams.set(stream, this.#initial);
  }

  close(stream: number): void {
    this.#streams.delete(stream);
  }

  /** WINDOW_UPDATE; stream 0 is the session. */
  update(stream: number, delta: number): void {
    this.#streamsBind = true;
    if (stream === 0) {
      this.#sessionBinds = true;
      this.#session += delta;
      return;
    }
    const now = this.#streams.get(stream);
    if (now !== undefined) this.#streams.set(stream, now + delta);
  }

  /** SETTINGS_INITIAL_WINDOW_SIZE: also moves the windows of the streams that are open, maybe below zero. */
  setInitial(size: number): void {
    this.#streamsBind = true;
    const moved = size - this.#initial;
    this.#initial = size;
    for (const [stream, now] of this.#streams) this.#streams.set(stream, now + moved);
  }

  /** Takes up to `wanted` bytes of both windows and says how many; 0: wait for an update. */
  take(stream: number, wanted: number): number {
    const own = this.#streamsBind ? (this.#streams.get(stream) ?? 0) : wanted;
    const shared = this.#sessionBinds ? this.#session : wanted;
    const taken = Math.max(0, Math.min(wanted, own, shared));
    this.#session -= taken;
    this.#streams.set(stream, (this.#streams.get(stream) ?? this.#initial) - taken);
    return taken;
  }
}

/** Counts what a receiver has consumed and says when to give the sender room again: at half a window, to save frames. */
export class ReceiveCredit {
  #consumed = 0;

  /** Bytes to announce by WINDOW_UPDATE now; 0: not yet. */
  consume(bytes: number): number {
    this.#consumed += bytes;
    if (this.#consumed < DEFAULT_WINDOW / 2) return 0;
    const credit = this.#consumed;
    this.#consumed = 0;
    return credit;
  }
}
