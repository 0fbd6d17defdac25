/** Finding a container's image, and waiting in between where there is none. */

import type { ImageStore, ResolvedImage } from '#lab/images/image-store.ts';
import type { EventType } from '#lab/kubelet/events.ts';
import type { PodContainer } from '#lab/kubelet/pod.ts';
import { FIRST_WAIT_MS, MAX_WAIT_MS } from '#lab/kubelet/status/backoff.ts';

/** Why a container cannot be started, and from when it may be tried again. */
export interface Trouble {
  readonly reason: string;
  readonly message: string;
  /** ms since the epoch. */
  readonly until: number;
}

export type PullAnswer =
  | { readonly kind: 'image'; readonly image: ResolvedImage }
  | { readonly kind: 'trouble'; readonly trouble: Trouble };

/** Nothing is ever pulled; but people know a missing image by the words of a pull that fails. */
export class ImagePull {
  readonly #images: ImageStore;
  readonly #event: (type: EventType, reason: string, message: string) => void;
  /** Of the wait that holds; 0: the last look found an image, or there was none yet. */
  #waitMs = 0;
  #found = false;

  constructor(images: ImageStore, event: (type: EventType, reason: string, message: string) => void) {
    this.#images = images;
    this.#event = event;
  }

  look(container: PodContainer, now: number): PullAnswer {
    const name = container.image ?? '';
    const answer = this.#images.resolve(name);
    if (answer.kind === 'found') return this.#present(name, answer.image);
    this.#found = false;
    if (answer.kind === 'invalid') return trouble(this.#invalid(answer.message, now));
    if (container.imagePullPolicy === 'Never') return trouble(this.#never(name, answer.message, now));
    return trouble(this.#failed(name, answer.message, now));
  }

  /** Said at the first start only. */
  #present(name: string, image: ResolvedImage): PullAnswer {
    if (!this.#found) this.#event('Normal', 'Pulled', `Container image "${name}" already present on machine`);
    this.#found = true;
    this.#waitMs = 0;
    return { kind: 'image', image };
  }

  #invalid(message: string, now: number): Trouble {
    this.#event('Warning', 'InspectFailed', message);
    this.#event('Warning', 'Failed', 'Error: InvalidImageName');
    return { reason: 'InvalidImageName', message, until: now + MAX_WAIT_MS };
  }

  #never(name: string, message: string, now: number): Trouble {
    const text = `Container image "${name}" is not present with pull policy of Never`;
    this.#event('Warning', 'ErrImageNeverPull', text);
    return { reason: 'ErrImageNeverPull', message: `${text}: ${message}`, until: now + FIRST_WAIT_MS };
  }

  /** First ErrImagePull, then ImagePullBackOff with doubling waits; the message that helps stays in both. */
  #failed(name: string, message: string, now: number): Trouble {
    this.#event('Warning', 'Failed', `Failed to pull image "${name}": ${message}`);
    const isFirst = this.#waitMs === 0;
    this.#waitMs = isFirst ? FIRST_WAIT_MS : Math.min(MAX_WAIT_MS, this.#waitMs * 2);
    const until = now + this.#waitMs;
    if (!isFirst) this.#event('Normal', 'BackOff', `Back-off pulling image "${name}"`);
    const reason = isFirst ? 'ErrImagePull' : 'ImagePullBackOff';
    this.#event('Warning', 'Failed', `Error: ${reason}`);
    return { reason, message: isFirst ? message : `Back-off pulling image "${name}": ${message}`, until };
  }
}

function trouble(what: Trouble): PullAnswer {
  return { kind: 'trouble', trouble: what };
}
