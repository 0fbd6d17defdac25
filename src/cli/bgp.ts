/** `polder bgp status|routes|why` */

import { type Command, Option } from 'commander';
import type { BgpReport, RoutesReport, WhyReport } from '#calc/bgp/report.ts';
import { routesText, statusText, whyText } from '#cli/bgp-text.ts';
import { command, nameOption, requireRoot } from '#cli/command.ts';
import { type Format, outputOption, print } from '#cli/output.ts';
import type { Terminal } from '#cli/terminal.ts';
import { checkName } from '#lab/names.ts';
import { readAddr } from '#net/addr.ts';
import { hostPrefix, type Prefix, readPrefix } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';

interface Options {
  readonly name: string;
  readonly node?: string;
  readonly output: Format | 'wide';
}

const STATUS = [
  { line: 'polder bgp status', does: 'who speaks with whom, as `calicoctl node status` shows it' },
  { line: 'polder bgp status --node node1 -o wide', does: 'AS numbers, counts of routes and BFD too' },
];
const ROUTES = [
  { line: 'polder bgp routes', does: 'every way that BIRD knows' },
  { line: 'polder bgp routes 10.244.0.0/16 --node node1', does: 'on one node, to networks inside' },
];
const WHY = [
  { line: 'polder bgp why 10.244.2.0/26', does: 'which way is chosen, who is told of it, and why' },
  { line: 'polder bgp why 10.244.2.7 --node node1', does: 'of the network that an address is in' },
];

export function bgpCommand(io: Terminal): Command {
  const wide = new Option('-o, --output <format>', 'print as')
    .choices(['text', 'wide', 'json', 'yaml'])
    .default('text');
  const status = command('status', 'Show the BGP sessions of the nodes of a lab.', STATUS)
    .addOption(nameOption())
    .addOption(nodeOption())
    .addOption(wide)
    .action((options: Options) => showStatus(io, options));
  const routes = command('routes', 'Show the routes that BIRD knows, chosen or not.', ROUTES)
    .argument('[prefix]', 'only networks inside')
    .addOption(nameOption())
    .addOption(nodeOption())
    .addOption(outputOption())
    .action((prefix: string | undefined, options: Options) => showRoutes(io, prefix, options));
  const why = command('why', 'Say why BIRD chooses a way, and why it tells a peer of it or does not.', WHY)
    .argument('<prefix>', 'a network, or an address in one')
    .addOption(nameOption())
    .addOption(nodeOption())
    .addOption(outputOption())
    .action((prefix: string, options: Options) => showWhy(io, prefix, options));
  return command('bgp', 'What the nodes say by BGP, and why.', [...STATUS.slice(0, 1), ...ROUTES.slice(0, 1), ...WHY])
    .addCommand(status)
    .addCommand(routes)
    .addCommand(why);
}

function nodeOption(): Option {
  return new Option('--node <node>', 'only this one (default: all)');
}

async function showStatus(io: Terminal, { name, node, output }: Options): Promise<void> {
  requireRoot(io);
  const { bgpStatus } = await import('#lab/bgp.ts');
  const text = (reports: readonly BgpReport[]) => statusText(reports, output === 'wide');
  await print(io, output === 'wide' ? 'text' : output, await bgpStatus(checkName('lab', name), node), text);
}

async function showRoutes(io: Terminal, text: string | undefined, { name, node, output }: Options): Promise<void> {
  const prefix = text === undefined ? undefined : networkFrom(text);
  requireRoot(io);
  const { bgpRoutes } = await import('#lab/bgp.ts');
  const reports: readonly RoutesReport[] = await bgpRoutes(checkName('lab', name), prefix, node);
  await print(io, plain(output), reports, routesText);
}

async function showWhy(io: Terminal, text: string, { name, node, output }: Options): Promise<void> {
  const prefix = networkFrom(text);
  requireRoot(io);
  const { bgpWhy } = await import('#lab/bgp.ts');
  const reports: readonly WhyReport[] = await bgpWhy(checkName('lab', name), prefix, node);
  await print(io, plain(output), reports, whyText);
}

function plain(output: Options['output']): Format {
  return output === 'wide' ? 'text' : output;
}

/** @throws PolderError 'usage' */
function networkFrom(text: string): Prefix {
  const addr = readAddr(text);
  const prefix = addr === undefined ? readPrefix(text) : hostPrefix(addr);
  if (prefix !== undefined) return prefix;
  throw new PolderError('usage', { what: `"${text}" is no network such as 10.244.1.0/24, nor an address.` });
}
