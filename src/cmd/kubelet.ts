/** Entry of `polder kubelet`. */

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { runProgram } from '#cmd/program.ts';
import { runKubelet } from '#lab/kubelet/main.ts';
import { parseTaint } from '#lab/kubelet/node/node-object.ts';
import {
  DEFAULT_CLUSTER_DNS,
  DEFAULT_CLUSTER_DOMAIN,
  DEFAULT_MAX_PODS,
  type KubeletOptions,
} from '#lab/kubelet/options.ts';
import { readAddr } from '#net/addr.ts';
import { PolderError } from '#spec/errors.ts';

const USAGE = `Usage: kubelet --node NAME --node-ip ADDR[,ADDR] --kubeconfig FILE --root DIR --socket PATH
               --cni-conf DIR --cni-bin DIR --cni-cache DIR --cni-socket PATH --cgroup PATH --image-dir DIR [options]
  --native-dir DIR        where the programs pause and tend are (native/bin)
  --cluster-dns ADDR      name server of pods (${DEFAULT_CLUSTER_DNS})
  --cluster-domain NAME   (${DEFAULT_CLUSTER_DOMAIN})
  --label KEY=VALUE       of the node; may be repeated
  --taint KEY=VALUE:EFFECT  at registration; may be repeated
  --max-pods N            (${DEFAULT_MAX_PODS})
  --hide DIR              a folder of the machine that pods may not see; may be repeated
  --manifests DIR         static pods: each file in it is a pod that runs here, API or not
  --supervisor PATH       socket of the lab's supervisor, whose programs are shown as pods
  --log-level LEVEL       trace, debug, info, warn or error (info)
`;

const one = { type: 'string' } as const;
const many = { type: 'string', multiple: true, default: [] as string[] } as const;

function optionsOf(args: string[]): { options: KubeletOptions; logLevel: string } {
  const { values } = parseArgs({
    args,
    options: {
      node: one,
      'node-ip': one,
      kubeconfig: one,
      root: one,
      socket: one,
      'cni-conf': one,
      'cni-bin': many,
      'cni-cache': one,
      'cni-socket': one,
      cgroup: one,
      'image-dir': one,
      'native-dir': { type: 'string', default: join(import.meta.dirname, '../../native/bin') },
      'cluster-dns': { type: 'string', default: DEFAULT_CLUSTER_DNS },
      'cluster-domain': { type: 'string', default: DEFAULT_CLUSTER_DOMAIN },
      label: many,
      taint: many,
      'max-pods': { type: 'string', default: String(DEFAULT_MAX_PODS) },
      hide: many,
      manifests: one,
      supervisor: one,
      'log-level': { type: 'string', default: 'info' },
    },
  });
  const options: KubeletOptions = {
    node: given('node', values.node),
    ...nodeIpsOf(given('node-ip', values['node-ip'])),
    kubeconfig: given('kubeconfig', values.kubeconfig),
    root: given('root', values.root),
    socket: given('socket', values.socket),
    cniConf: given('cni-conf', values['cni-conf']),
    cniBin: values['cni-bin'],
    cniCache: given('cni-cache', values['cni-cache']),
    cniSocket: given('cni-socket', values['cni-socket']),
    cgroup: given('cgroup', values.cgroup).replace(/^\/+|\/+$/g, ''),
    imageDir: given('image-dir', values['image-dir']),
    nativeDir: values['native-dir'],
    clusterDns: values['cluster-dns'],
    clusterDomain: values['cluster-domain'],
    labels: Object.fromEntries(values.label.map(labelOf)),
    taints: values.taint,
    maxPods: count('max-pods', values['max-pods']),
    hide: values.hide,
    ...(values.manifests === undefined ? {} : { manifestDir: values.manifests }),
    ...(values.supervisor === undefined ? {} : { supervisor: values.supervisor }),
  };
  for (const taint of options.taints) checkTaint(taint);
  return { options, logLevel: values['log-level'] };
}

function given(flag: string, value: string | undefined): string {
  if (value === undefined || value === '') throw new PolderError('usage', { what: `--${flag} is missing.` });
  return value;
}

function count(flag: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new PolderError('usage', { what: `--${flag} takes a number, not "${text}".` });
  return Number(text);
}

function labelOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new PolderError('usage', { what: `--label takes KEY=VALUE, not "${text}".` });
  return [text.slice(0, at), text.slice(at + 1)];
}

function checkTaint(text: string): void {
  try {
    parseTaint(text);
  } catch (error) {
    throw new PolderError(
      'usage',
      { what: `--taint: ${error instanceof Error ? error.message : text}.` },
      { cause: error },
    );
  }
}

function nodeIpsOf(text: string): Pick<KubeletOptions, 'nodeIp' | 'nodeIps'> {
  const nodeIps = text.split(',');
  const wrong = nodeIps.find((each) => readAddr(each) === undefined);
  if (wrong !== undefined) throw new PolderError('usage', { what: `--node-ip takes addresses, not "${wrong}".` });
  return { nodeIp: nodeIps[0] ?? '', nodeIps };
}

await runProgram({
  name: 'kubelet',
  usage: USAGE,
  needsRoot: true,
  read: (args) => {
    const { options, logLevel } = optionsOf(args);
    const log = pino({ level: logLevel, base: { program: 'kubelet' } }, pino.destination({ dest: 2, sync: true }));
    return (signal) => runKubelet(options, log, signal);
  },
});
