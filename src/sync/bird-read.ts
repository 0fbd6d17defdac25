/** What a running BIRD says of itself, its sessions and its routes. */

import type { NetworkFacts } from '#calc/bgp/explain.ts';
import type { BgpState } from '#calc/bgp/state.ts';
import { type BirdControl, BirdGone } from '#kernel/bird/handle.ts';
import { type Family, familyOf } from '#net/addr.ts';
import { addrOf, lengthOf, type Prefix, prefixFamily } from '#net/prefix.ts';
import { ending, failed } from '#wire/bird/reply.ts';
import { type ProtocolState, readProtocols } from '#wire/bird/show-protocols.ts';
import { type BirdRoute, readRoutes } from '#wire/bird/show-routes.ts';
import { type BfdSession, type DaemonStatus, readBfdSessions, readStatus } from '#wire/bird/show-status.ts';

export interface Daemon {
  readonly status: DaemonStatus;
  readonly protocols: readonly ProtocolState[];
  readonly bfd: readonly BfdSession[];
}

/** BIRD's answer where a table has no such network. */
const NO_NETWORK = 8001;
const TABLES: Readonly<Record<Family, string>> = { 4: 'master4', 6: 'master6' };

/** @throws BirdGone if it does not answer, SyntaxError if its answer cannot be read. */
export async function readDaemon(control: BirdControl): Promise<Daemon> {
  const asked = ['show status', 'show protocols all', 'show bfd sessions'].map((each) => control.ask(each));
  const [status, protocols, bfd] = await Promise.all(asked);
  if (!status || !protocols || !bfd) throw new BirdGone('BIRD has not answered');
  return { status: readStatus(status), protocols: readProtocols(protocols), bfd: readBfdSessions(bfd) };
}

/** Every way that it knows to a network inside the prefix; without a prefix to any. @throws as `readDaemon` */
export async function readAllRoutes(control: BirdControl, inside?: Prefix): Promise<BirdRoute[]> {
  const where = inside === undefined ? '' : ` table ${TABLES[prefixFamily(inside)]} in ${inside}`;
  return routesOf(control, `show route${where} all`);
}

/**
 * The network, and what is done with it. Of a network that BIRD does not know, or a single address, the smallest one
 * that holds it. Undefined if there is none. @throws as `readDaemon`
 */
export async function readNetwork(
  control: BirdControl,
  { sessions }: BgpState,
  asked: Prefix,
): Promise<NetworkFacts | undefined> {
  const table = `table ${TABLES[prefixFamily(asked)]}`;
  const net = await knownNetwork(control, table, asked);
  if (net === undefined) return undefined;
  const { protocols } = await readDaemon(control);
  const known = new Set(protocols.map(({ name }) => name));
  const told = sessions.filter(({ name, addr }) => known.has(name) && familyOf(addr) === prefixFamily(net));
  const [routes = [], filtered = [], ...exported] = await Promise.all(
    ['', 'filtered ', ...told.map(({ name }) => `exported ${name} `)].map((which) =>
      routesOf(control, `show route ${net} ${table} ${which}all`),
    ),
  );
  return { net, routes, filtered, exported: new Map(told.map(({ name }, i) => [name, exported[i] ?? []])), protocols };
}

/** The network itself, if BIRD has it, be it only one that was rejected; else what an address in it would go by. */
async function knownNetwork(control: BirdControl, table: string, asked: Prefix): Promise<Prefix | undefined> {
  const whole = lengthOf(asked) === (prefixFamily(asked) === 4 ? 32 : 128) ? addrOf(asked) : asked;
  const commands = [
    `show route ${asked} ${table}`,
    `show route ${asked} ${table} filtered`,
    `show route for ${whole} ${table}`,
  ];
  for (const command of commands) {
    const [route] = await routesOf(control, command);
    if (route) return route.net;
  }
  return undefined;
}

async function routesOf(control: BirdControl, command: string): Promise<BirdRoute[]> {
  const reply = await control.ask(command);
  const { code, text } = ending(reply);
  if (code === NO_NETWORK) return [];
  if (failed(reply)) throw new BirdGone(`BIRD refuses \`${command}\`: ${text}`);
  return readRoutes(reply);
}
