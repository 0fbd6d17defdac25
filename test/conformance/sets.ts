/** The two sets of plugins that the suite's results are told of: Debian's reference plugins, and ours with an agent. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listCases, runSuite, type SuiteOptions } from '#cni/conformance/run.ts';
import { PLUGINS } from '#cni/plugins/table.ts';
import { startCniServer } from '#cni/server/server.ts';
import { ROUTED, SHIM } from '#cni/testing/bed.ts';

export const REFERENCE = '/usr/lib/cni';

/** What a run may choose; the folder and the environment are the set's. */
export type Choice = Omit<SuiteOptions, 'dir' | 'env'>;

export const SETS = {
  reference: (choice: Choice) => runSuite({ ...choice, dir: REFERENCE }),
  polder: (choice: Choice) => withOurs((where) => runSuite({ ...choice, ...where })),
} as const;

export type SetName = keyof typeof SETS;

/** Names of the cases that a run would have. */
export const CASES = {
  reference: (choice: Partial<Choice>) => listCases({ ...choice, dir: REFERENCE }),
  polder: (choice: Partial<Choice>) => withOurs((where) => listCases({ ...choice, ...where })),
} as const;

type Where = Pick<SuiteOptions, 'dir' | 'env'>;

/** A folder of links to the shim, as an installation has it, and the agent's server in this process. */
async function withOurs<T>(use: (where: Where) => Promise<T>): Promise<T> {
  const stateDir = mkdtempSync(join(tmpdir(), 'pt-conformance-'));
  try {
    const dir = join(stateDir, 'bin');
    mkdirSync(dir);
    for (const type of PLUGINS.keys()) symlinkSync(SHIM, join(dir, type));
    const socketPath = join(stateDir, 'run', 'cni.sock');
    const log = { info() {}, warn() {}, error() {} };
    await using _ = await startCniServer({ socketPath, stateDir, nodeNetwork: () => ROUTED, log, coolDownMs: 0 });
    return await use({ dir, env: { POLDER_CNI_SOCKET: socketPath } });
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}
