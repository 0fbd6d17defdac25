/** What of a namespace's tables is alike wherever the same operations were run. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import { MAC, OTHER_MAC } from '#kernel/netlink/testing/scripts.ts';
import { tcId } from '#wire/netlink/tc-values.ts';
import type { Link, LinkInfo } from '#wire/netlink/values.ts';

/** Sorted, without what the kernel makes up or adds by itself. */
export function observe(netlink: Netlink): Record<string, unknown> {
  const links = netlink.links();
  const nameOf = (index: number | undefined) => links.find((link) => link.index === index)?.name;
  return {
    links: sorted(
      links.map((link) => ({ ...common(link), master: nameOf(link.master), parent: parentOf(link, nameOf) })),
    ),
    addresses: sorted(
      netlink
        .addresses()
        .filter(({ address }) => !/^fe80:/.test(address))
        .map(({ flags, ...rest }) => ({ ...rest, flags: (flags ?? 0) & ~IFA_F_TENTATIVE })),
    ),
    routes: sorted(
      netlink
        .routes()
        .filter(({ to, table }) => table !== TABLE_LOCAL && !/^(fe80|ff00):/.test(to) && !isConnected6(to)),
    ),
    neighbours: sorted(netlink.neighbours().filter(({ state }) => state === NUD_PERMANENT)),
    fdb: sorted(
      netlink
        .fdb()
        .filter(({ mac, dst, state }) => dst !== undefined || (mac === OTHER_MAC && (state & NUD_PERMANENT) !== 0))
        .map(({ state, ...rest }) => ({ ...rest, permanent: (state & NUD_PERMANENT) !== 0 })),
    ),
    rules: netlink.rules(),
    ...traffic(netlink, links),
  };
}

/** Handles that the kernel chooses are its own. */
function traffic(netlink: Netlink, links: readonly Link[]): Record<string, unknown> {
  const made = netlink.qdiscs().filter(({ info }) => info.kind !== 'other');
  const parents = ['ingress', 'egress', ...SAID_HANDLES] as const;
  return {
    qdiscs: sorted(
      made.map(({ handle, ...rest }) => ({ ...rest, handle: SAID_HANDLES.find((own) => own === handle) })),
    ),
    classes: links.flatMap(({ name }) => sorted(netlink.classes(name))),
    filters: links.flatMap(({ name }) =>
      parents.flatMap((parent) => netlink.filters(name, parent).map(({ handle: _, ...rest }) => rest)),
    ),
  };
}

const SAID_HANDLES = [tcId(1)] as const;
const MADE_BY_SCRIPTS: ReadonlySet<string> = new Set([MAC, OTHER_MAC]);
const TABLE_LOCAL = 255;
const NUD_PERMANENT = 0x80;
const IFA_F_TENTATIVE = 0x40;

/** The kernel's own route to the network of the script's IPv6 address. */
function isConnected6(to: string): boolean {
  return to === 'fd00::/64';
}

/** Indices differ, and addresses that nobody asked for are random. */
function common(link: Link): object {
  const { index: _i, parent: _p, peerNetnsId: _n, master: _m, promiscuity: _c, permanentMac: _h, mac, ...rest } = link;
  // A bridge learns of its ports' carrier later, by the kernel's work queue.
  const lowerUp = rest.info.kind === 'bridge' ? undefined : rest.lowerUp;
  return {
    ...rest,
    info: infoOf(rest.info),
    lowerUp,
    mac: mac !== undefined && MADE_BY_SCRIPTS.has(mac) ? mac : undefined,
  };
}

/** Without what only some kernels say: those that filter VLANs on bridges. */
function infoOf(info: LinkInfo): LinkInfo {
  if (info.kind !== 'bridge') return info;
  const { vlanDefaultPvid: _, ...told } = info;
  return told;
}

function parentOf({ parent, peerNetnsId }: Link, nameOf: (index: number | undefined) => string | undefined) {
  return peerNetnsId === undefined ? nameOf(parent) : 'elsewhere';
}

function sorted(values: readonly object[]): unknown[] {
  return values
    .map((value) => JSON.parse(JSON.stringify(value, ordered)) as unknown)
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function ordered(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
