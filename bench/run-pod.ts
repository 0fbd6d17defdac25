/**
 * `run-pod`: RunPodSandbox and StopPodSandbox of containerd with our plugins and with the reference's, each chain behind
 * a runtime handler of one containerd, on a machine of its own. What a sandbox costs with a plugin that does nothing is
 * said along the way: it is in all figures.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, type Benchmark, type Measured, pairwise, percentile, timed } from '#bench/harness.ts';
import { startContainerd } from '#test/callers/support/containerd.ts';
import type { CriClient, PodConfig } from '#test/callers/support/cri.ts';
import { makeMachine } from '#test/callers/support/machine.ts';
import { without } from '#test/callers/support/programs.ts';
import { makeBin, startServer } from '#test/callers/support/server.ts';

export const benchmark: Benchmark = {
  name: 'run-pod',
  about: 'RunPodSandbox of containerd with our chain against the reference bridge + host-local, portmap and bandwidth',
  run,
};

const PAIRS = 30;
const WARM_UP = 3;

const REFERENCE_BRIDGE = {
  type: 'ref-bridge',
  bridge: 'ref0',
  isGateway: true,
  ipMasq: true,
  ipam: { type: 'ref-host-local', ranges: [[{ subnet: '10.77.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] },
};

const meta = (prefix: string) => [
  { type: `${prefix}portmap`, capabilities: { portMappings: true } },
  { type: `${prefix}bandwidth`, capabilities: { bandwidth: true } },
];

const CHAINS = {
  '': [{ type: 'polder' }],
  full: [{ type: 'polder' }, ...meta('')],
  reference: [REFERENCE_BRIDGE],
  referencefull: [REFERENCE_BRIDGE, ...meta('ref-')],
  none: [{ type: 'nothing' }],
};
type Handler = keyof typeof CHAINS;

/** A plugin that attaches nothing: what is left is containerd's own time. */
const NOTHING = `#!/bin/sh
cat >/dev/null
[ "$CNI_COMMAND" != ADD ] || echo '{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","sandbox":"x"}],"ips":[{"address":"10.99.0.1/32","interface":0}]}'
`;

interface Times {
  readonly run: number[];
  readonly stop: number[];
}

async function run(bench: Bench): Promise<readonly Measured[]> {
  const why = without('containerd', 'ctr', 'runc');
  if (why !== false) throw new Error(why);
  await using machine = await makeMachine();
  await startServer(machine);
  const bin = makeBin(machine);
  writeFileSync(join(bin, 'nothing'), NOTHING, { mode: 0o755 });
  const { cri } = await startContainerd(machine, bin, CHAINS);
  const plain = await compare(bench, cri, '', 'reference', { name: 'plain' });
  const full = await compare(bench, cri, 'full', 'referencefull', FULL);
  return [
    ...cases('plain', 'bridge, masquerade', plain),
    ...cases('ports and bandwidth', 'bridge, portmap, bandwidth', full),
  ];
}

const FULL: PodConfig = {
  name: 'full',
  portMappings: [{ protocol: 0, containerPort: 80, hostPort: 8080 }],
  annotations: { 'kubernetes.io/ingress-bandwidth': '10M', 'kubernetes.io/egress-bandwidth': '20M' },
};

async function compare(bench: Bench, cri: CriClient, ours: Handler, reference: Handler, pod: PodConfig) {
  bench.progress(`${PAIRS} pairs, ${pod.name}`);
  const times: Record<'ours' | 'reference' | 'none', Times> = {
    ours: { run: [], stop: [] },
    reference: { run: [], stop: [] },
    none: { run: [], stop: [] },
  };
  const one = (handler: Handler, into: Times) => async (i: number) => {
    bench.signal.throwIfAborted();
    let id = '';
    const took = await timed(async () => {
      id = await cri.runPod({ ...pod, attempt: i }, handler);
    });
    into.stop.push(await timed(() => cri.stopPod(id)));
    await cri.removePod(id);
    into.run.push(took);
    return took;
  };
  for (const handler of [ours, reference])
    for (let i = 0; i < WARM_UP; i++) await one(handler, { run: [], stop: [] })(i);
  const [runOurs, runReference, runNone] = [
    one(ours, times.ours),
    one(reference, times.reference),
    one('none', times.none),
  ];
  await pairwise(PAIRS, runOurs, async (i) => {
    const took = await runReference(i);
    if (i % 3 === 0) await runNone(i);
    return took;
  });
  bench.progress(`with a plugin that does nothing: ${percentile(times.none.run, 0.5).toFixed(1)} ms at the median`);
  return times;
}

function cases(what: string, name: string, times: Record<'ours' | 'reference' | 'none', Times>): Measured[] {
  const measured = (title: string, ours: readonly number[], samples: readonly number[], target: number): Measured => ({
    case: `${what}: ${title}`,
    unit: 'ms',
    ours,
    baseline: { name, samples },
    target,
  });
  return [
    measured('RunPodSandbox', times.ours.run, times.reference.run, 0.75),
    measured('StopPodSandbox', times.ours.stop, times.reference.stop, 0.5),
  ];
}
