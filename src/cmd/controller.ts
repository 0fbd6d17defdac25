/** Entry of `polder controller`. */

import { parseArgs } from 'node:util';
import pino from 'pino';
import { runProgram } from '#cmd/program.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { readClusterCidrs } from '#serve/controller/ipam/ranges.ts';
import { runController } from '#serve/controller/main.ts';
import { PolderError } from '#spec/errors.ts';

const USAGE = `Usage: controller --kubeconfig FILE [options]
  --cluster-cidr CIDR[,CIDR]   networks that nodes get their parts of, one a family (from ConfigMap polder-config)
  --node-cidr-size BITS        prefix length of a node's IPv4 part (24)
  --node-cidr-size-ipv6 BITS   prefix length of a node's IPv6 part (64)
  --node-grace SECONDS         silence of a kubelet after which its node counts as lost (40)
  --orphan-grace SECONDS       age from which a pod on a node that does not exist is deleted (40)
  --log-level LEVEL            trace, debug, info, warn or error (info)
`;

function optionsOf(args: string[]): Parameters<typeof runController>[0] {
  const { values } = parseArgs({
    args,
    options: {
      kubeconfig: { type: 'string' },
      'cluster-cidr': { type: 'string' },
      'node-cidr-size': { type: 'string', default: '24' },
      'node-cidr-size-ipv6': { type: 'string', default: '64' },
      'node-grace': { type: 'string', default: '40' },
      'orphan-grace': { type: 'string', default: '40' },
      'log-level': { type: 'string', default: 'info' },
    },
  });
  if (!values.kubeconfig) throw new PolderError('usage', { what: '--kubeconfig is missing.' });
  const cidrs = values['cluster-cidr'];
  return {
    api: loadKubeconfig(values.kubeconfig),
    clusterCidrs: cidrs === undefined ? [] : readClusterCidrs(cidrs),
    nodeCidrSize: {
      4: number('node-cidr-size', values['node-cidr-size']),
      6: number('node-cidr-size-ipv6', values['node-cidr-size-ipv6']),
    },
    graceMs: number('node-grace', values['node-grace']) * 1000,
    orphanGraceMs: number('orphan-grace', values['orphan-grace']) * 1000,
    log: pino(
      { level: values['log-level'], base: { program: 'controller' } },
      pino.destination({ dest: 2, sync: true }),
    ),
  };
}

function number(flag: string, text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new PolderError('usage', { what: `--${flag} takes a number, not "${text}".` });
  return Number(text);
}

await runProgram({
  name: 'controller',
  usage: USAGE,
  needsRoot: false,
  read: (args) => {
    const options = optionsOf(args);
    return (signal) => runController(options, signal);
  },
});
