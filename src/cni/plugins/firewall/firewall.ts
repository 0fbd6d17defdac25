/** The CNI plugin `firewall`: see README.md of this folder. */

import { isDeepStrictEqual } from 'node:util';
import { failOn, needPrevResult, podIpsOf } from '#cni/parts/chained.ts';
import { hostEndOf } from '#cni/parts/host-end.ts';
import { changeTable, elementOps, ownedIn, type Placed, placedIn, placeKey } from '#cni/parts/owned-elements.ts';
import { ownerOfCall, staleIn } from '#cni/parts/owner.ts';
import { forgetReferenceForward } from '#cni/parts/reference-rules.ts';
import { run } from '#cni/parts/run.ts';
import { Undo } from '#cni/parts/undo.ts';
import type { Plugin, PluginCall } from '#cni/plugin.ts';
import { elementsOf, type Port } from '#cni/plugins/firewall/elements.ts';
import { iptablesDifferences, openIptables } from '#cni/plugins/firewall/iptables.ts';
import { BRIDGES, baseOps, CHAINS, home, RULES, TABLE } from '#cni/plugins/firewall/table.ts';
import { PolderError } from '#spec/errors.ts';
import { optString, wrong } from '#wire/cni/json.ts';
import type { CniResult } from '#wire/cni/result.ts';
import type { NftOp, TableListing } from '#wire/nft/values.ts';

export const firewall: Plugin = { type: 'firewall', add, del, check, status, gc };

const POLICIES = ['open', 'same-bridge', 'isolated'] as const;
type IngressPolicy = (typeof POLICIES)[number];
const BACKENDS = ['', 'nftables', 'iptables', 'firewalld'];

/** @throws PolderError cni-config (CNI code 7) naming the key. */
function readPolicy({ conf }: PluginCall): IngressPolicy {
  const backend = optString(conf.raw, 'backend', '') ?? '';
  if (!BACKENDS.includes(backend)) wrong('backend', 'must be "nftables", "iptables" or "firewalld"', backend);
  optString(conf.raw, 'firewalldZone', '');
  optString(conf.raw, 'iptablesAdminChainName', '');
  const text = optString(conf.raw, 'ingressPolicy', '') ?? '';
  const policy = text === '' ? 'open' : POLICIES.find((one) => one === text);
  return policy ?? wrong('ingressPolicy', `must be one of ${POLICIES.join(', ')}`, text);
}

async function add(call: PluginCall): Promise<CniResult> {
  const policy = readPolicy(call);
  const prev = needPrevResult(call);
  const port = policy === 'open' ? undefined : needPort(call, policy);
  const placed = placedOf(call, prev, policy, port);
  await using undo = new Undo(call.host.log);
  undo.defer(() => removeOwned(call, isOwner(call)));
  changeTable(call.caller.nft, TABLE, (have) => [
    ...baseOps(),
    ...elementOps('element.delete', replaced(have, call, placed)),
    ...elementOps('element.add', placed),
  ]);
  if (port && policy === 'isolated') isolate(call, port);
  openIptables(call);
  undo.keep();
  return prev;
}

/** Our own from before, and what is left of a container whose address this one has now; bridges are everybody's. */
function replaced(have: TableListing | undefined, call: PluginCall, placed: readonly Placed[]): Placed[] {
  const wanted = new Set(placed.map(placeKey));
  const own = ownerOfCall(call);
  return placedIn(have).filter(
    (one) => one.set !== BRIDGES && (one.element.comment === own || wanted.has(placeKey(one))),
  );
}

/** @throws PolderError cni-config for a policy that would hold for no address: the pod would be open. */
function placedOf(call: PluginCall, prev: CniResult, policy: IngressPolicy, port: Port | undefined): Placed[] {
  const { ifname } = call.request;
  const ips = podIpsOf(prev, ifname).map(({ address }) => address);
  if (ips.length === 0 && policy !== 'open') {
    const what = `ingressPolicy ${policy} guards addresses, and prevResult has no address of the pod (${ifname})`;
    throw new PolderError('cni-config', { what });
  }
  return elementsOf(ips, ownerOfCall(call), port?.bridge, policy === 'isolated');
}

/** @throws PolderError cni-config if the pod does not hang on a bridge. */
function needPort(call: PluginCall, policy: IngressPolicy): Port {
  const end = hostEndOf(call);
  const { netlink } = call.caller;
  const bridge = netlink.links().find(({ index, info }) => info.kind === 'bridge' && index === end?.master);
  if (end && bridge) return { name: end.name, bridge: bridge.name };
  const { ifname } = call.request;
  throw new PolderError('cni-config', { what: `ingressPolicy ${policy} needs a bridge, and ${ifname} hangs on none` });
}

/** Frames between two such ports are dropped by the bridge itself: they may never come to a forward chain. */
function isolate({ caller }: PluginCall, { name }: Port): void {
  run(caller.netlink, [{ op: 'link.set', name, change: { isolated: true } }]);
}

function isOwner(call: PluginCall): (owner: string) => boolean {
  const own = ownerOfCall(call);
  return (owner) => owner === own;
}

/** With the last pod of a bridge the bridge goes, too. */
function removeOwned(call: PluginCall, meant: (owner: string) => boolean): void {
  changeTable(call.caller.nft, TABLE, (have): NftOp[] => {
    const owned = ownedIn(have, meant);
    const gone = new Set(owned.map(placeKey));
    const left = placedIn(have).filter((one) => !gone.has(placeKey(one)));
    const inUse = new Set(left.flatMap(bridgeOf));
    const unused = left.filter(({ set, element }) => set === BRIDGES && !inUse.has(String(element.key)));
    return elementOps('element.delete', [...owned, ...unused]);
  });
}

function bridgeOf({ set, element: { key } }: Placed): string[] {
  const isHome = set === home(4) || set === home(6);
  return isHome && typeof key === 'object' && 'concat' in key ? [String(key.concat[1])] : [];
}

async function del(call: PluginCall): Promise<void> {
  removeOwned(call, isOwner(call));
  forgetReferenceForward(call);
}

async function gc(call: PluginCall): Promise<void> {
  removeOwned(call, staleIn(call));
}

async function check(call: PluginCall): Promise<void> {
  const policy = readPolicy(call);
  const prev = needPrevResult(call);
  const port = policy === 'open' ? undefined : needPort(call, policy);
  const listing = call.caller.nft.list(TABLE);
  failOn(
    [
      ...tableDifferences(listing, placedOf(call, prev, policy, port)),
      ...(port && policy === 'isolated' ? portDifferences(call, port) : []),
      ...iptablesDifferences(call),
    ],
    call,
  );
}

function portDifferences({ caller }: PluginCall, { name }: Port): string[] {
  return caller.netlink.link(name)?.port?.isolated ? [] : [`${name} is not isolated`];
}

function tableDifferences(listing: TableListing | undefined, placed: readonly Placed[]): string[] {
  if (!listing) return [`nftables table ${TABLE.family} ${TABLE.name} is missing`];
  const have = new Set(placedIn(listing).map(placeKey));
  return [
    ...CHAINS.flatMap(({ name, base }) => {
      const chain = listing.chains.find((one) => one.name === name);
      if (!chain || (base && !chain.base)) return [`chain ${name} is missing`];
      const rules = RULES[name];
      const same =
        !rules ||
        isDeepStrictEqual(
          chain.rules.map(({ expr }) => expr),
          rules,
        );
      return same ? [] : [`the rules of chain ${name} are not those of firewall`];
    }),
    ...placed.filter((one) => !have.has(placeKey(one))).map((one) => `element ${placeKey(one)} is missing`),
  ];
}

/** @throws PolderError cni-not-available (CNI code 50) when the kernel would not take the table. */
async function status(call: PluginCall): Promise<void> {
  readPolicy(call);
  const failure = call.caller.nft.apply(TABLE, baseOps(), { dryRun: true });
  if (failure) {
    const reason = failure.errors[0]?.message ?? failure.text;
    throw new PolderError('cni-not-available', { what: `The firewall cannot be set up: ${reason}` });
  }
}
