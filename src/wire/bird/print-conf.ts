/** The whole configuration as BIRD reads it. The same value gives the same text. */

import type {
  BgpChannel,
  BgpProtocol,
  BirdConf,
  Channel,
  FilterRef,
  KernelProtocol,
  Protocol,
} from '#wire/bird/conf.ts';
import { printFilter } from '#wire/bird/print-filter.ts';
import { quoted, symbol, whole } from '#wire/bird/words.ts';

/** Largest 4-octet AS number (RFC 6793). */
export const MAX_AS = 0xffff_ffff;
const MAX_SECONDS = 0xffff;
/** Bytes of a TCP MD5 key (linux/tcp.h, TCP_MD5SIG_MAXKEYLEN). */
export const MAX_PASSWORD = 80;

/** Name of the constant that tells which configuration a daemon has loaded. */
export function versionSymbol(version: string): string {
  return symbol(`polder_conf_${version}`);
}

/** @throws RangeError if a name, text or number cannot be written. */
export function printConf(conf: BirdConf): string {
  return [
    '# Written by Polder, whole, at every change: what is written here by hand is lost.\n',
    printGlobals(conf),
    ...conf.filters.map(printFilter),
    ...conf.protocols.map(printProtocol),
  ].join('\n');
}

function printGlobals({ version, routerId, hostname, gracefulRestartWait }: BirdConf): string {
  const formats = ['base', 'log', 'protocol', 'route'].map((what) => `timeformat ${what} iso long us;`);
  return lines([
    'log stderr all;',
    `router id ${routerId};`,
    `hostname ${quoted(hostname)};`,
    ...formats,
    `graceful restart wait ${seconds(gracefulRestartWait)};`,
    `define ${versionSymbol(version)} = 1;`,
  ]);
}

function printProtocol(protocol: Protocol): string {
  switch (protocol.kind) {
    case 'device':
      return block(`protocol device ${symbol(protocol.name)}`, [`scan time ${seconds(protocol.scanSeconds)};`]);
    case 'direct':
      return block(`protocol direct ${symbol(protocol.name)}`, [
        ...protocol.families.map((family) => `ipv${family};`),
        `interface ${protocol.interfaces.map(interfacePattern).join(', ')};`,
      ]);
    case 'kernel':
      return printKernel(protocol);
    case 'static':
      return block(`protocol static ${symbol(protocol.name)}`, [
        `ipv${protocol.family};`,
        ...protocol.routes.map(({ to, via }) => `route ${to} ${via === undefined ? 'blackhole' : `via ${via}`};`),
      ]);
    case 'bfd':
      return block(`protocol bfd ${symbol(protocol.name)}`, [
        `interface "*" { interval ${whole(protocol.intervalMs, 10, 60_000, 'an interval')} ms; ` +
          `multiplier ${whole(protocol.multiplier, 1, 255, 'a multiplier')}; };`,
        `multihop { interval ${protocol.intervalMs} ms; multiplier ${protocol.multiplier}; };`,
      ]);
    case 'bgp':
      return printBgp(protocol);
  }
}

function interfacePattern(pattern: string): string {
  return pattern.startsWith('-') ? `-${quoted(pattern.slice(1))}` : quoted(pattern);
}

function printKernel(kernel: KernelProtocol): string {
  return block(`protocol kernel ${symbol(kernel.name)}`, [
    `scan time ${seconds(kernel.scanSeconds)};`,
    `metric ${whole(kernel.metric, 0, 0x7fff_ffff, 'a metric')};`,
    ...(kernel.learn ? ['learn;'] : []),
    ...(kernel.persist ? ['persist;'] : []),
    ...(kernel.mergePaths ? ['merge paths on;'] : []),
    'graceful restart;',
    `${printChannel(kernel.channel, [])};`,
  ]);
}

function printBgp(bgp: BgpProtocol): string {
  return block(`protocol bgp ${symbol(bgp.name)}`, [
    `description ${quoted(bgp.description)};`,
    // Whoever listens hears at once that a session comes or goes.
    'debug { states };',
    `local ${bgp.local.addr === undefined ? '' : `${bgp.local.addr} `}port ${port(bgp.local.port)} as ${as(bgp.local.asNumber)};`,
    neighbor(bgp),
    ...hops(bgp),
    ...(bgp.password === undefined ? [] : [`password ${quoted(bgp.password)};`]),
    ...(bgp.rrClient ? ['rr client;', `rr cluster id ${bgp.rrClient.clusterId};`] : []),
    ...(bgp.allowLocalAs === undefined ? [] : [`allow local as ${whole(bgp.allowLocalAs, 0, 255, 'a number')};`]),
    ...(bgp.bfd ? ['bfd on;'] : []),
    ...(bgp.strictBind ? ['strict bind on;'] : []),
    'graceful restart on;',
    ...(bgp.gracefulRestartSeconds === undefined
      ? []
      : [`graceful restart time ${whole(bgp.gracefulRestartSeconds, 0, 4095, 'a restart time')};`]),
    // Sessions stand in less than a second, and one that fails is tried again soon.
    'connect delay time 1;',
    'connect retry time 5;',
    'error wait time 1, 10;',
    ...bgp.channels.map((channel) => `${printBgpChannel(channel)};`),
  ]);
}

function neighbor({ neighbor }: BgpProtocol): string {
  if ('range' in neighbor) return `neighbor range ${neighbor.range} port ${port(neighbor.port)} external;`;
  return `neighbor ${neighbor.addr} port ${port(neighbor.port)} as ${as(neighbor.asNumber)};`;
}

function hops({ hops: far, ttlSecurity }: BgpProtocol): string[] {
  const ttl = ttlSecurity ? ['ttl security on;'] : [];
  if (far === 'direct') return ['direct;', ...ttl];
  const most = far.multihop === undefined ? '' : ` ${whole(far.multihop, 1, 255, 'a number of hops')}`;
  return [`multihop${most};`, ...ttl];
}

function printBgpChannel(channel: BgpChannel): string {
  return printChannel(channel, [
    ...(channel.keepFiltered ? ['import keep filtered on;'] : []),
    ...(channel.addPaths ? ['add paths on;'] : []),
    ...(channel.nextHop === undefined ? [] : [`next hop ${channel.nextHop};`]),
    `gateway ${channel.gateway};`,
  ]);
}

function printChannel(channel: Channel, more: readonly string[]): string {
  const words = [`import ${filterRef(channel.import)};`, `export ${filterRef(channel.export)};`, ...more];
  return `ipv${channel.family} { ${words.join(' ')} }`;
}

function filterRef(ref: FilterRef): string {
  return typeof ref === 'string' ? ref : `filter ${symbol(ref.filter)}`;
}

function port(value: number): string {
  return whole(value, 1, 0xffff, 'port');
}

function as(value: number): string {
  return whole(value, 1, MAX_AS, 'AS number');
}

function seconds(value: number): string {
  return whole(value, 0, MAX_SECONDS, 'a time');
}

function block(head: string, body: readonly string[]): string {
  return `${head} {\n${body.map((line) => `  ${line}\n`).join('')}}\n`;
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
