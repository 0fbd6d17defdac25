/** Stock kubectl in tests. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestServer } from '#serve/api/testing/server.ts';

const version = spawnSync('kubectl', ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
/** Why tests with kubectl are skipped, false if it is there. */
export const missing = version.error === undefined ? false : 'kubectl is not installed';
/** 20 for Debian 12's kubectl: what came later is asked only of later ones. */
export const minor = Number(/"minor": "(\d+)/.exec(version.stdout ?? '')?.[1] ?? 0);

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** kubectl as the administrator of a test's server. */
export class Kubectl {
  readonly #server: TestServer;

  constructor(server: TestServer) {
    this.#server = server;
  }

  /** Starts it; the caller ends it. */
  start(line: string | readonly string[], more: Readonly<Record<string, string>> = {}) {
    const args = typeof line === 'string' ? line.split(' ') : line;
    const { dataDir } = this.#server;
    const env = { PATH: process.env.PATH, HOME: dataDir, KUBECONFIG: join(dataDir, 'kubeconfig'), ...more };
    return spawn('kubectl', args, { env, stdio: 'pipe' });
  }

  /** @param more of its environment */
  async try(line: string | readonly string[], input = '', more: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const child = this.start(line, more);
    child.stdin.end(input);
    const [out, err, [status]] = await Promise.all([
      child.stdout.toArray(),
      child.stderr.toArray(),
      once(child, 'exit'),
    ]);
    return { status: Number(status), out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
  }

  /** What it prints; it must succeed. */
  async run(
    line: string | readonly string[],
    input = '',
    more: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const { status, out, err } = await this.try(line, input, more);
    assert.equal(status, 0, `kubectl ${String(line)}: ${err}`);
    return out;
  }
}
