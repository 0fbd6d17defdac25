/** Values of Secrets, of those alone that somebody names: each is followed by itself, and none is ever part of a snapshot. */

import type { ApiClient } from '#feed/client.ts';
import { ifAllowed } from '#feed/if-served.ts';
import { type ListWatch, listWatch, Reflector, type ReflectorOptions } from '#feed/reflector.ts';
import type { SecretKey } from '#spec/bgp.ts';
import { keyText, SECRETS, type Secret } from '#spec/k8s.ts';

export interface SecretsOptions extends ReflectorOptions {
  readonly namespace: string;
  /** Told when a value may have become another. */
  readonly onChange: () => void;
}

interface Followed {
  readonly reflector: Reflector<Secret>;
  readonly stop: AbortController;
}

/** A reader of one Secret by its name. */
export type SecretSource = (name: string) => ListWatch<Secret>;

export function secretSource(client: ApiClient, namespace: string): SecretSource {
  return (name) => listWatch(client, SECRETS, { namespace, fieldSelector: `metadata.name=${name}` });
}

export class Secrets {
  readonly #source: SecretSource;
  readonly #options: SecretsOptions;
  readonly #followed = new Map<string, Followed>();

  constructor(source: SecretSource, options: SecretsOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** From now on these are followed and no others. */
  follow(names: ReadonlySet<string>): void {
    for (const [name, { stop }] of [...this.#followed]) {
      if (names.has(name)) continue;
      stop.abort();
      this.#followed.delete(name);
    }
    for (const name of names) if (!this.#followed.has(name)) this.#begin(name);
  }

  /** Each of those that are followed has been asked for: what has no value now is not there, or is forbidden. */
  get known(): boolean {
    return [...this.#followed.values()].every(({ reflector }) => reflector.synced);
  }

  /** Undefined if there is none. */
  valueOf({ name, key }: SecretKey): string | undefined {
    const secret = this.#followed.get(name)?.reflector.store.get(keyText({ namespace: this.#options.namespace, name }));
    const value = secret?.data?.[key];
    return value === undefined ? undefined : Buffer.from(value, 'base64').toString();
  }

  #begin(name: string): void {
    const reflector = new Reflector(ifAllowed(this.#source(name)), this.#options);
    const stop = new AbortController();
    this.#followed.set(name, { reflector, stop });
    reflector.onChange(() => !stop.signal.aborted && this.#options.onChange());
    void reflector.run(stop.signal);
  }

  [Symbol.dispose](): void {
    this.follow(new Set());
  }
}
