/** The two sets of plugins that the suite's results are told of: Debian's reference plugins, and ours with an agent. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSuite, type SuiteOptions, type SuiteResult } from '#cni/conformance/run.ts';
import { PLUGINS } from '#cni/plugins/table.ts';
import { startCniServer } from '#cni/server/server.ts';
import { ROUTED, SHIM } from '#cni/testing/bed.ts';

export const REFERENCE = '/usr/lib/cni';

/** What a run may choose; the folder and the environment are the set's. */
export type Choice = Omit<SuiteOptions, 'dir' | 'env'>;

export const SETS = {
  reference: (choice: Choice): Promise<SuiteResult> => runSuite({ ...choice, dir: REFERENCE }),
  polder: ours,
} as const;

export type SetName = keyof typeof SETS;

/** A folder of links to the shim, as an installation has it, and the agent's server in this process. */
async function ours(choice: Choice): Promise<SuiteResult> {
  const dir = mkdtempSync(join(tmpdir(), 'pt-conformance-'));
  try {
    const bin = join(dir, 'bin');
    mkdirSync(bin);
    for (const type of PLUGINS.keys()) symlinkSync(SHIM, join(bin, type));
    const socketPath = join(dir, 'run', 'cni.sock');
    const log = { info() {}, warn() {}, error() {} };
    const options = { socketPath, stateDir: dir, nodeNetwork: () => ROUTED, log, coolDownMs: 0 };
    await using _ = await startCniServer(options);
    return await runSuite({ ...choice, dir: bin, env: { POLDER_CNI_SOCKET: socketPath } });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
