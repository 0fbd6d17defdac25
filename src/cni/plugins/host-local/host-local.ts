/** The CNI IPAM plugin `host-local`: see README.md of this folder. */

import { readFileSync } from 'node:fs';
import type { Log } from '#cni/log.ts';
import type { Plugin, PluginCall } from '#cni/plugin.ts';
import { type HostLocalConf, readDir, readHostLocalConf } from '#cni/plugins/host-local/conf.ts';
import { nextFree, type RangeSet, rangeFor, rangeHas, setText } from '#cni/plugins/host-local/range.ts';
import { parseResolvConf } from '#cni/plugins/host-local/resolv.ts';
import { type DirStore, type Owner, withStore } from '#cni/plugins/host-local/store.ts';
import type { Addr } from '#net/addr.ts';
import { ifAddr, lengthOf } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import type { CniDns, CniIp, CniResult } from '#wire/cni/result.ts';

export const hostLocal: Plugin = { type: 'host-local', add, del, check, status, gc };

async function add(call: PluginCall): Promise<CniResult> {
  const conf = readHostLocalConf(call);
  const dns = dnsOf(conf);
  const ips = await withStore(conf.dir, (store) => allocate(store, conf, call));
  return { interfaces: [], ips, routes: conf.routes, dns };
}

/** One address of each set, or none at all. */
function allocate(store: DirStore, conf: HostLocalConf, { request, host, conf: { name } }: PluginCall): CniIp[] {
  refuseSecond(store, request, name);
  const wishes = assign(conf);
  const given: Addr[] = [];
  try {
    return conf.sets.map((set, i) => {
      const addr = choose(store, set, i, wishes.get(i));
      store.reserve(addr, request);
      given.push(addr);
      noteLast(store, addr, i, host.log);
      return ipOf(set, addr);
    });
  } catch (error) {
    for (const addr of given) store.release(addr);
    throw error;
  }
}

/** Only where the next search begins: without it an address is given again sooner, never twice. */
function noteLast(store: DirStore, addr: Addr, set: number, log: Log): void {
  try {
    store.noteLast(addr, set);
  } catch (error) {
    log.warn({ address: addr, error: String(error) }, 'host-local could not note the address that it gave last');
  }
}

function refuseSecond(store: DirStore, owner: Owner, network: string): void {
  const [had] = store.of(owner);
  if (had === undefined) return;
  const holder = `container ${owner.containerId}, interface ${owner.ifname} of network ${network},`;
  throw new PolderError('address-taken', { address: had, holder });
}

/** Which address was asked of which set. @throws PolderError address-outside for one of none. */
function assign({ sets, asked }: HostLocalConf): Map<number, Addr> {
  const wishes = new Map<number, Addr>();
  for (const addr of new Set(asked)) {
    const set = sets.findIndex((s, i) => !wishes.has(i) && rangeFor(s, addr));
    if (set < 0) throw new PolderError('address-outside', { address: addr, cidr: sets.map(setText).join(' and ') });
    wishes.set(set, addr);
  }
  return wishes;
}

function choose(store: DirStore, set: RangeSet, index: number, asked: Addr | undefined): Addr {
  const { taken } = store;
  if (asked !== undefined) return chosen(set, taken, asked);
  const addr = nextFree(set, store.last(index), taken);
  if (addr !== undefined) return addr;
  const used = [...taken].filter((a) => rangeFor(set, a)).length;
  throw new PolderError('addresses-exhausted', { cidr: setText(set), used, resting: 0, until: '' });
}

function chosen(set: RangeSet, taken: ReadonlySet<Addr>, asked: Addr): Addr {
  const gateway = set.some((range) => rangeHas(range, asked) && range.gateway === asked);
  if (gateway) throw new PolderError('address-taken', { address: asked, holder: 'the network’s gateway' });
  if (taken.has(asked)) throw new PolderError('address-taken', { address: asked, holder: 'another container' });
  return asked;
}

function ipOf(set: RangeSet, addr: Addr): CniIp {
  const range = rangeFor(set, addr);
  if (!range) throw new PolderError('internal', { what: `${addr} is in no range of ${setText(set)}` });
  return { address: ifAddr(addr, lengthOf(range.subnet)), gateway: range.gateway };
}

function dnsOf({ resolvConf }: HostLocalConf): CniDns {
  if (resolvConf === undefined) return {};
  try {
    return parseResolvConf(readFileSync(resolvConf, 'utf8'));
  } catch (error) {
    const what = `Cannot read ipam.resolvConf: ${error instanceof Error ? error.message : error}`;
    throw new PolderError('cni-io', { what }, { cause: error });
  }
}

async function del(call: PluginCall): Promise<void> {
  await withStore(readDir(call), (store) => {
    for (const addr of store.of(call.request)) store.release(addr);
  });
}

async function check(call: PluginCall): Promise<void> {
  const { containerId, ifname } = call.request;
  const had = await withStore(readHostLocalConf(call).dir, (store) => store.of(call.request));
  if (had.length > 0) return;
  throw new PolderError('cni-check', { container: containerId, what: `no address is reserved for ${ifname}` });
}

/** @throws PolderError cni-not-available if a set has no address left, or the folder cannot be used. */
async function status(call: PluginCall): Promise<void> {
  const conf = readHostLocalConf(call);
  const taken = await withStore(conf.dir, (store) => store.taken);
  const full = conf.sets.find((set) => nextFree(set, undefined, taken) === undefined);
  if (full) throw new PolderError('cni-not-available', { what: `No free address in ${setText(full)}` });
}

async function gc(call: PluginCall): Promise<void> {
  const valid = call.conf.validAttachments ?? [];
  const both = new Set(valid.map((a) => `${a.containerID}/${a.ifname}`));
  const ids = new Set(valid.map((a) => a.containerID));
  await withStore(readDir(call), (store) => {
    for (const { addr, containerId, ifname } of store.all()) {
      const known = ifname === undefined ? ids.has(containerId) : both.has(`${containerId}/${ifname}`);
      if (!known) store.release(addr);
    }
  });
}
