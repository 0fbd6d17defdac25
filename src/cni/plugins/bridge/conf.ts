/** The keys of the plugin's own. */

import { askedMac } from '#cni/parts/asked.ts';
import { ipamOf } from '#cni/parts/ipam.ts';
import type { PluginCall } from '#cni/plugin.ts';
import type { Mac } from '#net/mac.ts';
import { type JsonObject, optBoolean, optList, optString, optUint, wrong } from '#wire/cni/json.ts';
import { badIfname } from '#wire/cni/names.ts';

export interface BridgeConf {
  readonly bridge: string;
  /** The bridge has the gateway's addresses. */
  readonly isGateway: boolean;
  /** The pod's default route goes by it. */
  readonly isDefaultGateway: boolean;
  readonly forceAddress: boolean;
  readonly ipMasq: boolean;
  readonly mtu?: number;
  readonly hairpinMode: boolean;
  readonly promiscMode: boolean;
  /** Of the port, untagged: 0 for none. */
  readonly vlan: number;
  readonly vlanTrunk: readonly VlanRange[];
  readonly preserveDefaultVlan: boolean;
  readonly macspoofchk: boolean;
  readonly portIsolation: boolean;
  /** The pod's interface stays down: for a program that uses it without the kernel's stack. */
  readonly disableContainerInterface: boolean;
  readonly enabledad: boolean;
  readonly mac?: Mac;
}

/** First and last. */
export interface VlanRange {
  readonly min: number;
  readonly max: number;
}

const LAST_VLAN = 4094;

/** @throws PolderError cni-config naming the key. */
export function readBridgeConf({ conf, request }: PluginCall): BridgeConf {
  const { raw } = conf;
  const flag = (key: string, otherwise = false) => optBoolean(raw, key, '') ?? otherwise;
  const mac = askedMac(conf, request);
  const read: BridgeConf = {
    bridge: readName(raw),
    isGateway: flag('isGateway') || flag('isDefaultGateway'),
    isDefaultGateway: flag('isDefaultGateway'),
    forceAddress: flag('forceAddress'),
    ipMasq: flag('ipMasq'),
    ...(conf.mtu !== undefined && { mtu: conf.mtu }),
    hairpinMode: flag('hairpinMode'),
    promiscMode: flag('promiscMode'),
    vlan: readVlan(raw, 'vlan', '', 0) ?? 0,
    vlanTrunk: optList(raw, 'vlanTrunk', '', readTrunk)?.flat() ?? [],
    preserveDefaultVlan: flag('preserveDefaultVlan', true),
    macspoofchk: flag('macspoofchk'),
    portIsolation: flag('portIsolation'),
    disableContainerInterface: flag('disableContainerInterface'),
    enabledad: flag('enabledad'),
    ...(mac && { mac }),
  };
  refuseContradictions(read, ipamOf(conf) !== undefined);
  return read;
}

function refuseContradictions(conf: BridgeConf, layer3: boolean): void {
  if (conf.hairpinMode && conf.promiscMode) wrong('promiscMode', 'cannot stand beside hairpinMode', true);
  if (conf.vlan !== 0 && conf.vlanTrunk.length > 0) wrong('vlanTrunk', 'cannot stand beside vlan', conf.vlanTrunk);
  if (conf.disableContainerInterface && layer3) {
    wrong('disableContainerInterface', 'cannot stand beside ipam.type: an interface that is down has no address', true);
  }
}

function readName(raw: JsonObject): string {
  const name = optString(raw, 'bridge', '') || 'cni0';
  const bad = badIfname(name);
  return bad ? wrong('bridge', bad, name) : name;
}

function readVlan(item: JsonObject, key: string, path: string, least: number): number | undefined {
  const id = optUint(item, key, path);
  if (id === undefined || (id >= least && id <= LAST_VLAN)) return id;
  return wrong(`${path}${key}`, `must be from ${least} to ${LAST_VLAN}`, id);
}

/** `{id}`, `{minID, maxID}`, or both. */
function readTrunk(item: JsonObject, path: string): VlanRange[] {
  const id = readVlan(item, 'id', path, 1);
  const min = readVlan(item, 'minID', path, 1);
  const max = readVlan(item, 'maxID', path, 1);
  if ((min === undefined) !== (max === undefined)) wrong(`${path}minID`, 'must stand beside maxID', item);
  if (min !== undefined && max !== undefined && min > max) wrong(`${path}minID`, 'must not be above maxID', min);
  return [
    ...(id === undefined ? [] : [{ min: id, max: id }]),
    ...(min === undefined || max === undefined ? [] : [{ min, max }]),
  ];
}
