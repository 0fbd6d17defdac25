/** `polder lab up` */

import { chownSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { command, requireRoot, self, whole, yesOption } from '#cli/command.ts';
import { progress } from '#cli/progress.ts';
import { paint, type Terminal } from '#cli/terminal.ts';
import { DEFAULT_LAB, labPaths } from '#lab/names.ts';
import {
  clusterCidrs,
  DEFAULT_API_PORT,
  DEFAULT_CLUSTER_CIDR,
  DEFAULT_MTU,
  type LabSpec,
  type WantedLab,
} from '#lab/spec.ts';
import { PROFILE_NAMES } from '#spec/cluster.ts';
import { PolderError } from '#spec/errors.ts';

interface UpOptions {
  readonly name?: string;
  readonly nodes?: number;
  readonly profile?: string;
  readonly file?: string;
  readonly subnets?: number;
  readonly apiPort?: number;
  readonly clusterCidr?: string;
  readonly family?: string;
  readonly mtu?: number;
  readonly uplink?: boolean;
  readonly timeout?: number;
  readonly tor?: boolean;
}

const EXAMPLES = [
  { line: 'polder lab up', does: 'three nodes, pods across them by VXLAN' },
  { line: 'polder lab up --nodes 5 --profile flannel-host-gw', does: 'five nodes, routes by node addresses' },
  { line: 'polder lab up --name two --subnets 2', does: 'a second lab beside it, its nodes in two subnets' },
  { line: 'polder lab up --profile calico-bgp --tor', does: 'BGP with routers of three makes (docs/bgp.md)' },
  { line: 'polder lab up --file cluster.yaml', does: 'as a file says (docs/lab.md describes it)' },
];

export function upCommand(io: Terminal): Command {
  return command('up', 'Make a cluster of several nodes on this machine, or mend the one that is there.', EXAMPLES)
    .option('--name <lab>', `name of the lab (default: "${DEFAULT_LAB}")`)
    .option('--nodes <count>', 'how many nodes (default: 3)', whole)
    .option('--profile <profile>', `how packets go: ${PROFILE_NAMES.join(', ')} (default: vxlan)`)
    .option('--file <cluster.yaml>', 'nodes with names, labels, taints, subnets from a file; options win over it')
    .option('--subnets <count>', 'nodes in 1 subnet, or in 2 with a router between (default: 1)', whole)
    .option('--api-port <port>', `API on the loopback (default: ${DEFAULT_API_PORT}, or the next free one)`, whole)
    .option('--cluster-cidr <networks>', `pods' networks, one a family (default: ${DEFAULT_CLUSTER_CIDR})`)
    .option('--family <family>', "pods' addresses: ipv4, ipv6 or dual (default: ipv4)")
    .option('--mtu <bytes>', `MTU of the nodes' interfaces (default: ${DEFAULT_MTU})`, whole)
    .option('--uplink', 'let nodes and pods reach what this machine reaches (default: sealed)')
    .option('--tor', 'routers of BIRD, FRR and GoBGP beside the nodes, to speak BGP with (profile calico-bgp)')
    .option('--timeout <seconds>', 'how long it may take until the nodes are ready (default: 60, and 2 a node)', whole)
    .addOption(yesOption())
    .action((options: UpOptions) => up(io, options));
}

async function up(io: Terminal, options: UpOptions): Promise<void> {
  const wanted = await wantedLab(io, options);
  requireRoot(io);
  const { bringUp } = await import('#lab/up.ts');
  const limit = options.timeout === undefined ? {} : { timeoutMs: options.timeout * 1000 };
  const context = { step: progress(io), signal: io.signal, compileCache: io.env.NODE_COMPILE_CACHE ?? '', ...limit };
  const spec = await bringUp(wanted, context);
  giveToCaller(io, labPaths(spec.name).kubeconfig);
  io.out(farewell(io, spec));
}

/** The file's wishes under those of the command line. */
async function wantedLab(io: Terminal, options: UpOptions): Promise<WantedLab> {
  const file = options.file === undefined ? {} : await fromFile(io, options.file);
  const { nodes, ...rest } = options;
  const given = Object.fromEntries(Object.entries(rest).filter(([key]) => KEYS.has(key)));
  return {
    ...file,
    ...given,
    ...(nodes === undefined ? {} : { nodeCount: nodes }),
    name: options.name ?? file.name ?? DEFAULT_LAB,
  };
}

const KEYS = new Set(['profile', 'subnets', 'apiPort', 'clusterCidr', 'family', 'mtu', 'uplink', 'tor']);

async function fromFile(io: Terminal, path: string): Promise<Partial<WantedLab>> {
  const { readClusterFile } = await import('#lab/file.ts');
  const { wanted, warnings } = readClusterFile(path, await textOf(path));
  for (const warning of warnings) io.err(`${paint(io.errColour, 'yellow', 'warning')}: ${warning}\n`);
  return wanted;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    throw new PolderError('file-invalid', {
      file: path,
      what: code === 'ENOENT' ? 'there is no such file.' : `${code}.`,
    });
  }
}

/** After `sudo polder lab up` the person uses kubectl without sudo. */
function giveToCaller(io: Terminal, file: string): void {
  const { SUDO_UID, SUDO_GID } = io.env;
  if (SUDO_UID !== undefined && SUDO_GID !== undefined) chownSync(file, Number(SUDO_UID), Number(SUDO_GID));
}

const UPLINK = `It has an uplink: its nodes and pods reach what this machine reaches, with the machine's address; nothing new comes in
by it. On this machine it is one interface, one nftables table and IP forwarding; \`lab down\` takes them back.

`;

function farewell(io: Terminal, spec: LabSpec): string {
  const name = spec.name === DEFAULT_LAB ? '' : ` --name ${spec.name}`;
  const polder = `sudo ${self(io)}`;
  const nodes = spec.nodes.length === 1 ? '1 node' : `${spec.nodes.length} nodes`;
  const bold = (text: string) => paint(io.outColour, 'bold', text);
  const node = spec.nodes.find((each) => each.stopped !== true)?.name ?? 'node1';
  return `
Lab "${spec.name}" is up after ${(io.elapsed() / 1000).toFixed(1)} s: ${nodes}, profile ${spec.profile}, pods in ${clusterCidrs(spec).join(' and ')}.

  ${bold(`export KUBECONFIG=${labPaths(spec.name).kubeconfig}`)}

Try:
  ${bold('kubectl get nodes -o wide')}
  ${bold('kubectl run web --image=nginx && kubectl wait --for=condition=Ready pod/web && kubectl get pod web -o wide')}
  ${bold(`${polder} lab shell${name} ${node} -- ip route`)}

${spec.uplink ? UPLINK : ''}It keeps the Kubernetes network model: ${polder} lab verify${name}. Remove it: ${polder} lab down${name}
`;
}
