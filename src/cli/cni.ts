/** `polder cni`: a CNI runtime for a person: runs the chain of a network by hand, as a kubelet would. */

import { type Command, Option } from 'commander';
import { command, type Example } from '#cli/command.ts';
import { type Format, outputOption, print } from '#cli/output.ts';
import type { Terminal } from '#cli/terminal.ts';
import type { AttachmentCall, CniRuntime } from '#cni/runtime/runtime.ts';
import { PolderError } from '#spec/errors.ts';
import { parseArgs } from '#wire/cni/args.ts';
import { type JsonObject, parseObject } from '#wire/cni/json.ts';
import type { CniResult } from '#wire/cni/result.ts';

interface RuntimeFlags {
  readonly confDir: string;
  /** Folders parted by colons, as CNI_PATH. */
  readonly binDir: string;
  readonly cacheDir: string;
  readonly socket?: string;
  readonly node?: string;
  readonly name: string;
  readonly output: Format;
}

interface CallFlags extends RuntimeFlags {
  readonly ifname: string;
  readonly args?: string;
  readonly capabilityArgs?: string;
}

const EXAMPLES: readonly Example[] = [
  {
    line: 'ip netns add a && sudo polder cni add polder test-1 a',
    does: 'attach the namespace a to the network polder',
  },
  { line: 'sudo polder cni check polder test-1 a', does: 'compare with the kernel' },
  { line: 'sudo polder cni del polder test-1 a', does: 'take it off again' },
  { line: 'sudo polder cni add polder test-1 a --node node1', does: 'on a node of the lab' },
];

export function cniCommand(io: Terminal): Command {
  return command('cni', 'Run CNI plugins by hand, as a kubelet would.', EXAMPLES)
    .addCommand(addCommand(io))
    .addCommand(delCommand(io))
    .addCommand(checkCommand(io))
    .addCommand(gcCommand(io))
    .addCommand(statusCommand(io))
    .addCommand(installCommand(io))
    .addCommand(uninstallCommand(io));
}

const NETWORK = 'name of a network of the configuration folder, or path of a conflist (with a "/")';
const CONTAINER = 'container ID: a name of your own';
const NETNS = 'network namespace: a path, a name of `ip netns`, or the number of a process';

/** Options of every verb: where things are. */
function verb(name: string, summary: string, examples: readonly Example[]): Command {
  return command(name, summary, examples)
    .option('--conf-dir <dir>', 'folder of network configurations', '/etc/cni/net.d')
    .option('--bin-dir <dirs>', 'folders of plugins, searched in order, parted by ":"', '/opt/cni/bin:/usr/lib/cni')
    .option('--cache-dir <dir>', 'where results are kept', '/var/lib/cni')
    .option('--socket <path>', 'socket of the agent, for Polder’s own plugins')
    .option('--node <node>', 'run it on this node of a lab, with its folders and in its network namespace')
    .addOption(new Option('--name <lab>', 'which lab, with --node').default('polder'))
    .addOption(outputOption());
}

/** Options of the verbs for one container. */
function call(name: string, summary: string, examples: readonly Example[], netns: '<netns>' | '[netns]'): Command {
  return verb(name, summary, examples)
    .argument('<network>', NETWORK)
    .argument('<container-id>', CONTAINER)
    .argument(netns, NETNS)
    .option('--ifname <name>', 'name of the interface inside', 'eth0')
    .option('--args <K=V;K=V>', 'CNI_ARGS')
    .option('--capability-args <json>', 'values for declared capabilities: {"portMappings": […]}');
}

function addCommand(io: Terminal): Command {
  const examples = [
    { line: 'polder cni add polder test-1 /run/netns/a', does: 'attach it' },
    { line: 'polder cni add ./net.conflist test-1 a -o json', does: 'by a conflist of your own; print the result' },
    { line: "polder cni add polder test-1 a --args 'IP=10.244.1.9'", does: 'ask for an address' },
  ];
  return call('add', 'Attach a network namespace to a network.', examples, '<netns>').action(
    async (network: string, id: string, netns: string, flags: CallFlags) => {
      const { runtime } = await open(io, flags);
      const result = await runtime.add(callOf(network, id, netns, flags));
      await print(io, flags.output, result, resultText);
    },
  );
}

function delCommand(io: Terminal): Command {
  const examples = [
    { line: 'polder cni del polder test-1 a', does: 'detach it' },
    { line: 'polder cni del polder test-1', does: 'the namespace is gone already' },
  ];
  return call('del', 'Detach a network namespace, and free its addresses.', examples, '[netns]').action(
    async (network: string, id: string, netns: string | undefined, flags: CallFlags) => {
      const { runtime } = await open(io, flags);
      await runtime.del(callOf(network, id, netns ?? '', flags));
    },
  );
}

function checkCommand(io: Terminal): Command {
  const examples = [{ line: 'polder cni check polder test-1 a', does: 'exit status 0: it is as ADD left it' }];
  return call('check', 'Compare an attachment with the kernel.', examples, '<netns>').action(
    async (network: string, id: string, netns: string, flags: CallFlags) => {
      const { runtime } = await open(io, flags);
      await runtime.check(callOf(network, id, netns, flags));
      await print(io, flags.output, { ok: true }, () => `${id} is as ADD left it\n`);
    },
  );
}

function gcCommand(io: Terminal): Command {
  const examples = [{ line: 'polder cni gc polder --keep test-1/eth0', does: 'remove every attachment but this one' }];
  return verb('gc', 'Remove all attachments of a network that are not to be kept.', examples)
    .argument('<network>', NETWORK)
    .option('--keep <container/ifname>', 'an attachment that is valid; may be given several times', collect, [])
    .action(async (network: string, flags: RuntimeFlags & { readonly keep: readonly string[] }) => {
      const valid = flags.keep.map(keptOf);
      const { runtime } = await open(io, flags);
      await runtime.gc(valid, network);
    });
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function statusCommand(io: Terminal): Command {
  const examples = [{ line: 'polder cni status', does: 'exit status 0: the node’s network can take pods' }];
  return verb('status', 'Ask whether a network can take pods.', examples)
    .argument('[network]', `${NETWORK}; the first if absent`)
    .action(async (network: string | undefined, flags: RuntimeFlags) => {
      const { runtime } = await open(io, flags);
      const list = await runtime.status(network);
      const value = {
        network: list.name,
        cniVersion: list.cniVersion,
        file: list.file,
        plugins: list.plugins.map((p) => p.type),
      };
      await print(
        io,
        flags.output,
        value,
        (v) => `network ${v.network} (CNI ${v.cniVersion}, ${v.plugins.join(' -> ')}) can take pods\n`,
      );
    });
}

function installCommand(io: Terminal): Command {
  const examples = [
    { line: 'sudo polder cni install', does: 'every plugin into /opt/cni/bin; executables of others stay' },
    {
      line: 'sudo polder cni install --replace',
      does: 'in place of the reference plugins: pods that run stay attached',
    },
  ];
  return command('install', 'Fill a folder with Polder’s CNI executables, one for each plugin.', examples)
    .option('--bin <dir>', 'where container runtimes look for plugins', '/opt/cni/bin')
    .option('--replace', 'also replace executables of others that have these names', false)
    .addOption(outputOption())
    .action(async (flags: { readonly bin: string; readonly replace: boolean; readonly output: Format }) => {
      const { installPlugins } = await import('#cni/install.ts');
      const { NATIVE_BIN } = await import('#lab/programs.ts');
      const shim = `${NATIVE_BIN}/cni-shim`;
      const done = installPlugins({ binDir: flags.bin, shim, node: process.execPath, replace: flags.replace });
      await print(io, flags.output, done, ({ installed, kept }) => {
        const others = kept.length === 0 ? '' : `not replaced, as others made them: ${kept.join(' ')}\n`;
        return `installed in ${flags.bin}: ${installed.join(' ')}\n${others}`;
      });
    });
}

interface UninstallFlags {
  readonly bin: string;
  readonly cacheDir: string;
  readonly force: boolean;
  readonly output: Format;
}

function uninstallCommand(io: Terminal): Command {
  const examples = [
    { line: 'sudo polder cni uninstall', does: 'remove them from /opt/cni/bin; executables of others stay' },
    { line: 'sudo polder cni uninstall --force', does: 'though pods are attached: their DEL will need other plugins' },
  ];
  return command('uninstall', 'Take Polder’s CNI executables out of a folder again.', examples)
    .option('--bin <dir>', 'where they were installed', '/opt/cni/bin')
    .option('--cache-dir <dir>', 'where container runtimes note what is attached', '/var/lib/cni')
    .option('--force', 'also while containers are attached', false)
    .addOption(outputOption())
    .action(async ({ bin, cacheDir, force, output }: UninstallFlags) => {
      if (!force) await refuseInUse(cacheDir);
      const { uninstallPlugins } = await import('#cni/install.ts');
      await print(io, output, uninstallPlugins(bin), ({ removed }) =>
        removed.length === 0 ? `nothing of Polder is in ${bin}\n` : `removed from ${bin}: ${removed.join(' ')}\n`,
      );
    });
}

/** @throws PolderError cni-in-use */
async function refuseInUse(cacheDir: string): Promise<void> {
  const { ResultCache } = await import('#cni/runtime/cache.ts');
  const noted = await new ResultCache(cacheDir).list();
  const [one] = noted;
  if (!one) return;
  const first = `${one.containerId}/${one.ifname} of ${one.network}`;
  throw new PolderError('cni-in-use', { count: noted.length, dir: cacheDir, first });
}

async function open(io: Terminal, flags: RuntimeFlags): Promise<{ runtime: CniRuntime }> {
  if (!io.root) throw new PolderError('not-root');
  const { CniRuntime } = await import('#cni/runtime/runtime.ts');
  const env = { PATH: io.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin' };
  const socket = flags.socket ?? io.env.POLDER_CNI_SOCKET;
  if (flags.node === undefined) {
    const options = {
      confDir: flags.confDir,
      binDirs: flags.binDir.split(':').filter((dir) => dir !== ''),
      cacheDir: flags.cacheDir,
    };
    return { runtime: new CniRuntime({ ...options, env: { ...env, ...(socket && { POLDER_CNI_SOCKET: socket }) } }) };
  }
  const at = await moveToNode(flags.name, flags.node);
  const options = { confDir: at.cniConfDir, binDirs: [at.cniBinDir], cacheDir: at.cniCacheDir };
  return { runtime: new CniRuntime({ ...options, env: { ...env, POLDER_CNI_SOCKET: at.cniSocket } }) };
}

/** Plugins act in the network namespace of their caller: this process goes to the node, and its children are there. */
async function moveToNode(lab: string, node: string) {
  const { checkName, labPaths, nodeNetns, nodePaths } = await import('#lab/names.ts');
  const { openNetns } = await import('#kernel/netns/netns.ts');
  const { moveToNetns } = await import('#kernel/netns/enter.ts');
  const name = nodeNetns(checkName('lab', lab), checkName('node', node));
  try {
    using netns = openNetns({ name });
    moveToNetns(netns);
  } catch (error) {
    throw new PolderError('cni-netns', { path: name, what: 'the lab has no such node, or is down' }, { cause: error });
  }
  return nodePaths(labPaths(lab), node);
}

function callOf(network: string, containerId: string, netns: string, flags: CallFlags): AttachmentCall {
  const capabilityArgs: JsonObject | undefined =
    flags.capabilityArgs === undefined ? undefined : parseObject(flags.capabilityArgs, '--capability-args');
  return {
    network,
    containerId,
    netns: netnsPath(netns),
    ifname: flags.ifname,
    ...(flags.args !== undefined && { args: Object.fromEntries(parseArgs(flags.args)) }),
    ...(capabilityArgs && { capabilityArgs }),
  };
}

function netnsPath(netns: string): string {
  if (netns === '' || netns.includes('/')) return netns;
  return /^\d+$/.test(netns) ? `/proc/${netns}/ns/net` : `/run/netns/${netns}`;
}

function keptOf(text: string): { containerID: string; ifname: string } {
  const [containerID, ifname = 'eth0', ...rest] = text.split('/');
  if (containerID && rest.length === 0) return { containerID, ifname };
  throw new PolderError('usage', { what: `--keep takes CONTAINER/IFNAME, not "${text}"` });
}

function resultText(result: CniResult): string {
  const lines = result.interfaces.flatMap((link, i) => {
    const addresses = result.ips.filter((ip) => ip.interface === i);
    const where = link.sandbox ? ` in ${link.sandbox}` : ' on the host';
    return [
      `${link.name}${where}${link.mac ? `, MAC ${link.mac}` : ''}${link.mtu ? `, MTU ${link.mtu}` : ''}`,
      ...addresses.map((ip) => `  ${ip.address}${ip.gateway ? ` via ${ip.gateway}` : ''}`),
    ];
  });
  return `${lines.join('\n')}\n`;
}
