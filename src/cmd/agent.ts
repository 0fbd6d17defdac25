/** Entry of `polder agent`. */

import { parseArgs } from 'node:util';
import { runProgram } from '#cmd/program.ts';
import { runAgent } from '#serve/agent/main.ts';
import { PolderError } from '#spec/errors.ts';

const USAGE = `Usage: agent --node NAME --kubeconfig FILE --state DIR --cni-socket PATH --status-socket PATH
             [--underlay IFNAME] [--resync SECONDS] [--leak-grace SECONDS]
`;

function optionsOf(args: string[]): Parameters<typeof runAgent>[0] {
  const { values } = parseArgs({
    args,
    options: {
      node: { type: 'string' },
      kubeconfig: { type: 'string' },
      state: { type: 'string' },
      'cni-socket': { type: 'string' },
      'status-socket': { type: 'string' },
      underlay: { type: 'string' },
      resync: { type: 'string' },
      'leak-grace': { type: 'string' },
    },
  });
  const { underlay, resync, 'leak-grace': leakGrace } = values;
  return {
    node: given('node', values.node),
    kubeconfig: given('kubeconfig', values.kubeconfig),
    stateDir: given('state', values.state),
    cniSocket: given('cni-socket', values['cni-socket']),
    statusSocket: given('status-socket', values['status-socket']),
    ...(underlay === undefined ? {} : { underlay }),
    ...(resync === undefined ? {} : { resyncSeconds: seconds('resync', resync) }),
    ...(leakGrace === undefined ? {} : { leakGraceSeconds: seconds('leak-grace', leakGrace) }),
  };
}

function given(flag: string, value: string | undefined): string {
  if (value === undefined || value === '') throw new PolderError('usage', { what: `--${flag} is missing.` });
  return value;
}

function seconds(flag: string, text: string): number {
  const value = Number(text);
  if (!(value >= 1)) throw new PolderError('usage', { what: `--${flag} takes seconds, 1 or more, not "${text}".` });
  return value;
}

await runProgram({
  name: 'agent',
  usage: USAGE,
  needsRoot: true,
  read: (args) => {
    const options = optionsOf(args);
    return (signal) => runAgent(options, signal);
  },
});
