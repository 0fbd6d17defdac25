/** BgpState -> the configuration of BIRD that does it. */

import {
  exportFilter,
  importFilter,
  kernelFilter,
  kernelImport,
  ownProtocol,
  reachProtocol,
} from '#calc/bgp/filters.ts';
import { type BgpSession, type BgpState, isInternal } from '#calc/bgp/state.ts';
import { problem } from '#calc/routes/problems.ts';
import type { Problem } from '#calc/state.ts';
import { type Family, familyOf } from '#net/addr.ts';
import { hostPrefix, prefixFamily } from '#net/prefix.ts';
import type { SecretKey } from '#spec/bgp.ts';
import type { BgpProtocol, BirdConf, Protocol } from '#wire/bird/conf.ts';
import type { Filter } from '#wire/bird/filter.ts';
import { MAX_PASSWORD } from '#wire/bird/print-conf.ts';
import { canQuote } from '#wire/bird/words.ts';

/** The password in a Secret of the system's namespace; undefined: there is none. */
export type PasswordOf = (key: SecretKey) => string | undefined;

export interface ConfOutcome {
  readonly conf: BirdConf;
  /** Sessions that are left out, and why. */
  readonly problems: readonly Problem[];
}

/** The kernel's tables are read this often, beside its notifications. Seconds. */
const SCAN_SECONDS = 10;
/** A restarted daemon waits this long for peers at most, and tells and installs nothing new meanwhile. Seconds. */
const RESTART_WAIT = 30;
const FAMILIES: readonly Family[] = [4, 6];
/** IP6_RT_PRIO_USER of linux/ipv6_route.h: what `ip -6 route add` takes when nothing is said. */
const METRIC = { 4: 0, 6: 1024 } as const;
/** Three packets lost are a failure: 900 ms. */
const BFD = { intervalMs: 300, multiplier: 3 } as const;

/** Without a version: who writes it hashes the text and prints it again. */
export function birdConf(state: BgpState, passwordOf: PasswordOf): ConfOutcome {
  const checked = state.sessions.map((session) => ({ session, ...passwordFor(state, session, passwordOf) }));
  const sessions = checked.filter(({ wrong }) => wrong === undefined);
  const protocols = sessions.map(({ session, password }) => bgpProtocol(state, session, password));
  const conf: BirdConf = {
    version: '0',
    routerId: state.routerId,
    hostname: state.node,
    gracefulRestartWait: RESTART_WAIT,
    filters: filtersOf(
      state,
      sessions.map(({ session }) => session),
    ),
    protocols: [
      ...groundProtocols(
        state,
        sessions.map(({ session }) => session),
      ),
      ...protocols,
    ],
  };
  return { conf, problems: checked.flatMap(({ wrong }) => wrong ?? []) };
}

/** No session and no network: a daemon that loads this takes back what it has put into the kernel. */
export function emptyConf({ node, routerId }: Pick<BgpState, 'node' | 'routerId'>): BirdConf {
  const kernels = FAMILIES.map((family) => ({ ...kernelProtocol(family, 'none', 'none'), persist: false }));
  return {
    version: '0',
    routerId,
    hostname: node,
    gracefulRestartWait: 0,
    filters: [],
    protocols: [{ kind: 'device', name: 'device1', scanSeconds: SCAN_SECONDS }, ...kernels],
  };
}

interface Password {
  readonly password?: string;
  readonly wrong?: Problem;
}

/** A session that wants a password is not made without: that would speak with whoever takes the address. */
function passwordFor({ node }: BgpState, { password: key, origin }: BgpSession, passwordOf: PasswordOf): Password {
  if (key === undefined) return {};
  const about = { peer: origin, secret: key.name, key: key.key };
  const password = passwordOf(key);
  if (password === undefined) return { wrong: problem('bgp-password', node, about) };
  const why = passwordProblem(password);
  return why === undefined ? { password } : { wrong: problem('bgp-password-form', node, { ...about, why }) };
}

function passwordProblem(password: string): string | undefined {
  if (password === '') return 'is empty';
  if (!canQuote(password)) return 'has quotation marks or line breaks, which BIRD’s configuration cannot hold';
  const bytes = new TextEncoder().encode(password).length;
  return bytes > MAX_PASSWORD ? `is ${bytes} bytes long` : undefined;
}

function filtersOf(state: BgpState, sessions: readonly BgpSession[]): Filter[] {
  const all = sessions.flatMap((session) => {
    const family = familyOf(session.addr);
    return [importFilter(state, session, family), exportFilter(state, session, family)];
  });
  const byName = new Map(all.map((filter) => [filter.name, filter]));
  const sorted = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return [...FAMILIES.flatMap((family) => [kernelImport(family), kernelFilter(state, family)]), ...sorted];
}

/** What stands on this node whomever it speaks with. */
function groundProtocols(state: BgpState, sessions: readonly BgpSession[]): Protocol[] {
  const interfaces = [...state.ignoredInterfaces.map((each) => `-${each}`), '*'];
  return [
    { kind: 'device', name: 'device1', scanSeconds: SCAN_SECONDS },
    { kind: 'direct', name: 'direct1', families: FAMILIES, interfaces },
    ...FAMILIES.map((family) =>
      kernelProtocol(family, { filter: `kernel_in${family}` }, { filter: `kernel_out${family}` }),
    ),
    ...FAMILIES.map((family) => ownRoutes(state, family)),
    ...FAMILIES.flatMap((family) => reachRoutes(sessions, family)),
    ...(sessions.some(({ bfd }) => bfd) ? [{ kind: 'bfd', name: 'bfd1', ...BFD } as const] : []),
  ];
}

function kernelProtocol(
  family: Family,
  taken: 'none' | { readonly filter: string },
  given: 'none' | { readonly filter: string },
): Protocol & { readonly kind: 'kernel' } {
  return {
    kind: 'kernel',
    name: `kernel${family}`,
    channel: { family, import: taken, export: given },
    scanSeconds: SCAN_SECONDS,
    metric: METRIC[family],
    learn: taken !== 'none',
    persist: true,
    mergePaths: false,
  };
}

/** Blackholes in BIRD's table only: the kernel's are the agent's. */
function ownRoutes({ announced }: BgpState, family: Family): Protocol {
  const routes = announced.filter((to) => prefixFamily(to) === family).map((to) => ({ to }));
  return { kind: 'static', name: ownProtocol(family), family, routes };
}

function reachRoutes(sessions: readonly BgpSession[], family: Family): Protocol[] {
  const routes = sessions.flatMap(({ addr, reachableBy }) =>
    reachableBy === undefined || familyOf(addr) !== family ? [] : [{ to: hostPrefix(addr), via: reachableBy }],
  );
  return routes.length === 0 ? [] : [{ kind: 'static', name: reachProtocol(family), family, routes }];
}

function bgpProtocol(state: BgpState, session: BgpSession, password: string | undefined): BgpProtocol {
  const {
    local,
    localAsNumber = state.asNumber,
    rrClusterId,
    ttlSecurity,
    numAllowedLocalAsNumbers,
    maxRestartSeconds,
  } = session;
  const family = familyOf(session.addr);
  return {
    kind: 'bgp',
    name: session.name,
    description: `${session.type}: ${session.origin}`,
    local: { port: state.listenPort, asNumber: localAsNumber, ...(local === undefined ? {} : { addr: local }) },
    neighbor: { addr: session.addr, port: session.port, asNumber: session.asNumber },
    hops: session.bfd ? 'direct' : ttlSecurity === undefined ? {} : { multihop: ttlSecurity },
    ttlSecurity: ttlSecurity !== undefined,
    bfd: session.bfd,
    strictBind: state.strictBind && local !== undefined,
    channels: [
      {
        family,
        import: { filter: importFilter(state, session, family).name },
        export: { filter: exportFilter(state, session, family).name },
        keepFiltered: true,
        addPaths: true,
        gateway: 'recursive',
        ...nextHop(state, session),
      },
    ],
    ...(password === undefined ? {} : { password }),
    ...(rrClusterId === undefined ? {} : { rrClient: { clusterId: rrClusterId } }),
    ...(numAllowedLocalAsNumbers === undefined ? {} : { allowLocalAs: numAllowedLocalAsNumbers }),
    ...(maxRestartSeconds === undefined ? {} : { gracefulRestartSeconds: maxRestartSeconds }),
  };
}

/** Within an AS BIRD keeps it by itself. */
function nextHop(state: BgpState, session: BgpSession): { readonly nextHop?: 'keep' | 'self' } {
  if (session.nextHop === 'auto' || (session.nextHop === 'keep' && isInternal(state, session))) return {};
  return { nextHop: session.nextHop };
}
