/** Entry of `polder agent`. */

import { parseArgs } from 'node:util';
import { keepCompiled } from '#cmd/keep-compiled.ts';
import { runAgent } from '#serve/agent/main.ts';
import { PolderError } from '#spec/errors.ts';

const USAGE = `Usage: agent --node NAME --kubeconfig FILE --state DIR --cni-socket PATH --status-socket PATH
             [--underlay IFNAME] [--resync SECONDS]
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
    },
  });
  const { underlay, resync } = values;
  return {
    node: given('node', values.node),
    kubeconfig: given('kubeconfig', values.kubeconfig),
    stateDir: given('state', values.state),
    cniSocket: given('cni-socket', values['cni-socket']),
    statusSocket: given('status-socket', values['status-socket']),
    ...(underlay === undefined ? {} : { underlay }),
    ...(resync === undefined ? {} : { resyncSeconds: seconds(resync) }),
  };
}

function given(flag: string, value: string | undefined): string {
  if (value === undefined || value === '') throw new PolderError('usage', { what: `--${flag} is missing.` });
  return value;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 1)) throw new PolderError('usage', { what: `--resync takes seconds, 1 or more, not "${text}".` });
  return value;
}

keepCompiled();
const end = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end.abort());

try {
  const args = process.argv.slice(2);
  if (args.includes('--help')) process.stdout.write(USAGE);
  else {
    const options = optionsOf(args);
    if (process.getuid?.() !== 0) throw new PolderError('not-root');
    await runAgent(options, end.signal);
  }
  process.exit(0);
} catch (error) {
  const known = error instanceof PolderError ? error : undefined;
  const usage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  const text = known ? `${known.message}\n${known.todo}` : error instanceof Error && !usage ? error.stack : error;
  process.stderr.write(`polder agent: ${usage ? `${error.message}\n${USAGE}` : `${text}\n`}`);
  process.exit(known ? known.row.exit : usage ? 2 : 70);
}
