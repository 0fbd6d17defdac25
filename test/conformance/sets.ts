/** The sets of plugins that the suite's results are told of: Debian's reference plugins, and ours with an agent and without. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { listCases } from '#cni/conformance/plan.ts';
import { runSuite, type SuiteOptions } from '#cni/conformance/run.ts';
import { installAlone } from '#cni/daemonless/install.ts';
import { NEED_AGENT } from '#cni/daemonless/load.ts';
import { PLUGINS } from '#cni/plugins/table.ts';
import { startCniServer } from '#cni/server/server.ts';
import { endWorkers } from '#cni/testing/alone.ts';
import { ROUTED, SHIM } from '#cni/testing/bed.ts';

export const REFERENCE = '/usr/lib/cni';

/** What a run may choose; the folder and the environment are the set's. */
export type Choice = Omit<SuiteOptions, 'dir' | 'env'>;

export const SETS = {
  reference: (choice: Choice) => runSuite({ ...choice, dir: REFERENCE }),
  polder: (choice: Choice) => withOurs((where) => runSuite({ ...choice, ...where })),
  alone: (choice: Choice) => withOursAlone((where) => runSuite({ ...choice, types: aloneOf(choice), ...where })),
} as const;

export type SetName = keyof typeof SETS;

/** Names of the cases that a run would have. */
export const CASES = {
  reference: (choice: Partial<Choice>) => listCases({ ...choice, dir: REFERENCE }),
  polder: (choice: Partial<Choice>) => withOurs((where) => listCases({ ...choice, ...where })),
  alone: (choice: Partial<Choice>) =>
    withOursAlone((where) => listCases({ ...choice, types: aloneOf(choice), ...where })),
} as const;

/** All that work without an agent: a lease of `dhcp` that nobody renews is refused. */
export const ALONE_TYPES = [...PLUGINS.keys()].filter((type) => !NEED_AGENT.includes(type) && type !== 'dhcp');

function aloneOf({ types = [] }: Partial<Choice>): readonly string[] {
  return ALONE_TYPES.filter((type) => types.length === 0 || types.includes(type));
}

type Where = Pick<SuiteOptions, 'dir' | 'env'>;

/** A folder of links to the shim, as an installation has it, and the agent's server in this process. */
function withOurs<T>(use: (where: Where) => Promise<T>): Promise<T> {
  return inFolder(async (stateDir, dir, socketPath) => {
    const log = { info() {}, warn() {}, error() {} };
    await using _ = await startCniServer({ socketPath, stateDir, nodeNetwork: () => ROUTED, log, coolDownMs: 0 });
    return await use({ dir, env: { POLDER_CNI_SOCKET: socketPath } });
  });
}

/** The same without a server: workers serve the calls, and end. */
function withOursAlone<T>(use: (where: Where) => Promise<T>): Promise<T> {
  return inFolder(async (stateDir, dir, socketPath) => {
    installAlone(dir, { node: process.execPath });
    try {
      return await use({ dir, env: { POLDER_CNI_SOCKET: socketPath } });
    } finally {
      await endWorkers(stateDir, dirname(socketPath));
    }
  });
}

async function inFolder<T>(use: (stateDir: string, dir: string, socketPath: string) => Promise<T>): Promise<T> {
  const stateDir = mkdtempSync(join(tmpdir(), 'pt-conformance-'));
  try {
    const dir = join(stateDir, 'bin');
    mkdirSync(dir);
    for (const type of PLUGINS.keys()) symlinkSync(SHIM, join(dir, type));
    return await use(stateDir, dir, join(stateDir, 'run', 'cni.sock'));
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}
