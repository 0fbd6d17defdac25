/** Keys of Multus' configuration by which a cluster keeps pods to their own networks: never passed over in silence. */

import type { PluginCall } from '#cni/plugin.ts';
import { PolderError } from '#spec/errors.ts';
import type { NetConf } from '#wire/cni/conf.ts';
import { lookup, optBoolean, optString } from '#wire/cni/json.ts';

/** Whose networks every pod may have, as in Multus, unless `globalNamespaces` says otherwise. */
const GLOBAL = 'default';

/** May a pod of one namespace have a network of the other? */
export type Isolation = (own: string, other: string) => boolean;

/** @throws PolderError cni-config */
export function isolationOf({ raw }: NetConf): Isolation {
  if (!(optBoolean(raw, 'namespaceIsolation', '') ?? false)) return () => true;
  const named = optString(raw, 'globalNamespaces', '') || GLOBAL;
  const everybodys = new Set(named.split(',').map((one) => one.trim()));
  return (own, other) => own === other || everybodys.has(other);
}

/** @throws PolderError cni-config naming both namespaces */
export function refuseForeign(may: Isolation, own: string, { namespace, name }: { namespace: string; name: string }) {
  if (may(own, namespace)) return;
  const what = `namespaceIsolation: a pod of namespace ${own} may not have the network ${namespace}/${name}`;
  throw new PolderError('cni-config', { what: `${what} (globalNamespaces names the namespaces of which all may)` });
}

/** Where these are, Multus takes no notice of `delegates`: the pods would get other networks than the file says. */
const INSTEAD_OF_DELEGATES = ['clusterNetwork', 'defaultNetworks'] as const;

/** @throws PolderError cni-config naming the key */
export function refuseUnread({ conf }: PluginCall): void {
  const key = INSTEAD_OF_DELEGATES.find((one) => isSaid(lookup(conf.raw, one)));
  if (key === undefined) return;
  throw new PolderError('cni-config', {
    what: `${key} is not supported: write the networks of every pod into delegates`,
  });
}

function isSaid(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null && value !== '';
}
