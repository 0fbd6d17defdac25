/** Addresses and networks in CEL (Kubernetes CEL libraries `ip` and `cidr`). */
import type { Environment } from '@marcbachmann/cel-js';
import { type Addr, addrBytes, familyOf, readAddr } from '#net/addr.ts';
import { addrOf, contains, containsPrefix, type IfAddr, lengthOf, networkOf, readIfAddr } from '#net/prefix.ts';

class Ip {
  readonly addr: Addr;

  constructor(addr: Addr) {
    this.addr = addr;
  }
}

class Cidr {
  readonly ifAddr: IfAddr;

  constructor(ifAddr: IfAddr) {
    this.ifAddr = ifAddr;
  }
}

/** What functions hang on that are called by the library's name: `ip.isCanonical(…)`. */
class IpLibrary {}

export function addNetworks(to: Environment): void {
  to.registerType('IP', { ctor: Ip, fields: {} });
  to.registerType('CIDR', { ctor: Cidr, fields: {} });
  to.registerType('IPLibrary', { ctor: IpLibrary, fields: {} });
  to.registerConstant('ip', 'IPLibrary', new IpLibrary());
  addIps(to);
  addCidrs(to);
}

function addIps(to: Environment): void {
  to.registerFunction('ip(string): IP', ipOf)
    .registerFunction('isIP(string): bool', (text: string) => readIp(text) !== undefined)
    .registerFunction('IPLibrary.isCanonical(string): bool', (_: IpLibrary, text: string) => ipOf(text).addr === text)
    .registerFunction('IP.family(): int', ({ addr }: Ip) => BigInt(familyOf(addr)))
    .registerFunction('string(IP): string', ({ addr }: Ip) => addr)
    .registerOperator('IP == IP', (a: Ip, b: Ip) => a.addr === b.addr);
  for (const [name, is] of Object.entries(KINDS))
    to.registerFunction(`IP.${name}(): bool`, ({ addr }: Ip) => is(addrBytes(addr)));
}

/** By the bytes of the address: four or sixteen (Go's `netip.Addr`). */
const KINDS: Readonly<Record<string, (bytes: Uint8Array) => boolean>> = {
  isUnspecified: (bytes) => bytes.every((byte) => byte === 0),
  isLoopback,
  isLinkLocalUnicast,
  isLinkLocalMulticast: (bytes) =>
    bytes.length === 4
      ? bytes[0] === 224 && bytes[1] === 0 && bytes[2] === 0
      : bytes[0] === 0xff && ((bytes[1] ?? 0) & 0x0f) === 2,
  isGlobalUnicast: (bytes) =>
    !(bytes.length === 4 && bytes.every((byte) => byte === 255)) &&
    !bytes.every((byte) => byte === 0) &&
    !isLoopback(bytes) &&
    !isMulticast(bytes) &&
    !isLinkLocalUnicast(bytes),
};

function isLoopback(bytes: Uint8Array): boolean {
  return bytes.length === 4 ? bytes[0] === 127 : bytes.every((byte, i) => byte === (i === 15 ? 1 : 0));
}

function isLinkLocalUnicast(bytes: Uint8Array): boolean {
  return bytes.length === 4
    ? bytes[0] === 169 && bytes[1] === 254
    : bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;
}

function isMulticast(bytes: Uint8Array): boolean {
  return bytes.length === 4 ? ((bytes[0] ?? 0) & 0xf0) === 0xe0 : bytes[0] === 0xff;
}

function addCidrs(to: Environment): void {
  to.registerFunction('cidr(string): CIDR', cidrOf)
    .registerFunction('isCIDR(string): bool', (text: string) => readCidr(text) !== undefined)
    .registerFunction('CIDR.containsIP(string): bool', (cidr: Cidr, text: string) => holds(cidr, ipOf(text)))
    .registerFunction('CIDR.containsIP(IP): bool', holds)
    .registerFunction('CIDR.containsCIDR(string): bool', (cidr: Cidr, text: string) => holdsAll(cidr, cidrOf(text)))
    .registerFunction('CIDR.containsCIDR(CIDR): bool', holdsAll)
    .registerFunction('CIDR.ip(): IP', ({ ifAddr }: Cidr) => new Ip(addrOf(ifAddr)))
    .registerFunction('CIDR.masked(): CIDR', ({ ifAddr }: Cidr) => cidrOf(networkOf(ifAddr)))
    .registerFunction('CIDR.prefixLength(): int', ({ ifAddr }: Cidr) => BigInt(lengthOf(ifAddr)))
    .registerFunction('string(CIDR): string', ({ ifAddr }: Cidr) => ifAddr)
    .registerOperator('CIDR == CIDR', (a: Cidr, b: Cidr) => a.ifAddr === b.ifAddr);
}

function holds({ ifAddr }: Cidr, { addr }: Ip): boolean {
  return familyOf(addrOf(ifAddr)) === familyOf(addr) && contains(networkOf(ifAddr), addr);
}

function holdsAll({ ifAddr }: Cidr, inner: Cidr): boolean {
  const [outer, other] = [networkOf(ifAddr), networkOf(inner.ifAddr)];
  return familyOf(addrOf(outer)) === familyOf(addrOf(other)) && containsPrefix(outer, other);
}

/** IPv4 addresses in the dress of IPv6 ones are refused, as in Kubernetes. */
function isDressed(text: string): boolean {
  return /^::ffff:\d+\.\d+\.\d+\.\d+/i.test(text);
}

function readIp(text: string): Addr | undefined {
  return isDressed(text) ? undefined : readAddr(text);
}

function readCidr(text: string): IfAddr | undefined {
  return isDressed(text) ? undefined : readIfAddr(text);
}

function ipOf(text: string): Ip {
  const addr = readIp(text);
  if (addr === undefined)
    throw new SyntaxError(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
  return new Ip(addr);
}

function cidrOf(text: string): Cidr {
  const ifAddr = readCidr(text);
  if (ifAddr === undefined)
    throw new SyntaxError(`network address parse error during conversion from string: ${JSON.stringify(text)}`);
  return new Cidr(ifAddr);
}
