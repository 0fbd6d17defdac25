/** What a server's DHCPOFFER or DHCPACK gives (RFC 2131 §4.3.1, §4.4.5). */

import { type Addr, addrBytes } from '#net/addr.ts';
import { type IfAddr, ifAddr, lengthOf, parsePrefix } from '#net/prefix.ts';
import type { DhcpMessage } from '#wire/dhcp/message.ts';
import {
  type DhcpRoute,
  OPTION,
  readAddrOption,
  readAddrs,
  readClasslessRoutes,
  readDomainSearch,
  readMask,
  readStaticRoutes,
  readText,
  readUint32,
} from '#wire/dhcp/options.ts';

export interface Lease {
  readonly address: IfAddr;
  readonly server: Addr;
  /** Router of the default route, if there is one. */
  readonly gateway?: Addr;
  readonly routes: readonly DhcpRoute[];
  readonly nameservers: readonly Addr[];
  readonly domain?: string;
  readonly search: readonly string[];
  /** Seconds from the moment of the request on, in the order in which they come; undefined: it never ends. */
  readonly times: { readonly renew: number; readonly rebind: number; readonly seconds: number } | undefined;
}

const DEFAULT = parsePrefix('0.0.0.0/0');
const FOR_EVER = 0xffffffff;
/** RFC 2131 §4.4.5. */
const T1 = 0.5;
const T2 = 0.875;

/** The lease, or what the message lacks of one, as words for "the answer …". */
export function readLease(message: DhcpMessage): Lease | string {
  const { options, yiaddr } = message;
  const server = readAddrOption(options.get(OPTION['dhcp-server-identifier']));
  const length = readMask(options.get(OPTION['subnet-mask']));
  const seconds = readUint32(options.get(OPTION['dhcp-lease-time']));
  if (!server) return 'names no server';
  if (!isHost(yiaddr)) return `gives ${yiaddr}, which is no address of a host`;
  if (!length) return 'has no usable subnet mask';
  if (seconds === undefined || seconds === 0) return 'has no lease time';
  const domain = readText(options.get(OPTION['domain-name']));
  return {
    address: ifAddr(yiaddr, length),
    server,
    ...ways(options),
    nameservers: readAddrs(options.get(OPTION['domain-name-servers'])) ?? [],
    ...(domain !== undefined && { domain }),
    search: readDomainSearch(options.get(OPTION['domain-search'])) ?? [],
    times: timesOf(options, seconds),
  };
}

function isHost(addr: Addr): boolean {
  const first = addrBytes(addr)[0] ?? 0;
  return first !== 0 && first !== 127 && first < 224;
}

/** Classless routes take the place of the routers and of the static routes (RFC 3442, "DHCP Client Behavior"). */
function ways(options: DhcpMessage['options']): Pick<Lease, 'routes' | 'gateway'> {
  const [router] = readAddrs(options.get(OPTION.routers)) ?? [];
  const classless = readClasslessRoutes(options.get(OPTION['rfc3442-classless-static-routes']));
  const classful = readStaticRoutes(options.get(OPTION['static-routes'])) ?? [];
  const routes = classless ?? [...classful, ...(router ? [{ dst: DEFAULT, via: router }] : [])];
  const gateway = routes.find(({ dst, via }) => lengthOf(dst) === 0 && via)?.via ?? router;
  return { routes, ...(gateway && { gateway }) };
}

/** Times that are out of order are the server's mistake: the usual parts are taken. */
function timesOf(options: DhcpMessage['options'], seconds: number): Lease['times'] {
  if (seconds === FOR_EVER) return undefined;
  const renew = readUint32(options.get(OPTION['dhcp-renewal-time'])) ?? seconds * T1;
  const rebind = readUint32(options.get(OPTION['dhcp-rebinding-time'])) ?? Math.max(seconds * T2, renew);
  if (renew > 0 && renew <= rebind && rebind <= seconds) return { renew, rebind, seconds };
  return { renew: seconds * T1, rebind: seconds * T2, seconds };
}
