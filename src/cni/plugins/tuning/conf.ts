/** The configuration of `tuning`: what the interface and the parameters of the pod's network are to be. */

import { askedMac, readStationMac } from '#cni/parts/asked.ts';
import type { PluginCall } from '#cni/plugin.ts';
import type { Mac } from '#net/mac.ts';
import { type JsonObject, optBoolean, optObject, optString, optUint, wrong } from '#wire/cni/json.ts';

/** Attributes of the interface; what is absent stays as it is. */
export interface Attributes {
  readonly mac?: Mac;
  /** Bytes. */
  readonly mtu?: number;
  readonly promisc?: boolean;
  readonly allmulti?: boolean;
  /** Packets. */
  readonly txQueueLen?: number;
}

export interface TuningConf {
  readonly attributes: Attributes;
  /** Kernel parameters as the configuration names them -> value. */
  readonly sysctl: ReadonlyMap<string, string>;
  /** Folder of what DEL puts back. */
  readonly dataDir: string;
}

export const DEFAULT_DATA_DIR = '/run/cni/tuning';

/** `args.cni` goes before the configuration's own keys. @throws PolderError cni-config (CNI code 7) naming the key. */
export function readTuningConf({ conf, request }: PluginCall): TuningConf {
  const { raw, cniArgs } = conf;
  const own = readAttributes(raw, '');
  const mac = askedMac(conf, request) ?? readStationMac(optString(raw, 'mac', ''), 'mac');
  const dataDir = optString(raw, 'dataDir', '') ?? '';
  return {
    attributes: { ...own, ...readAttributes(cniArgs, 'args.cni.'), ...(mac && { mac }) },
    sysctl: new Map([...readSysctls(raw, ''), ...readSysctls(cniArgs, 'args.cni.')]),
    dataDir: dataDir === '' ? DEFAULT_DATA_DIR : dataDir,
  };
}

/** `promisc: false` says nothing, as with the reference plugin; `allmulti: false` switches off. */
function readAttributes(object: JsonObject, path: string): Attributes {
  const mtu = optUint(object, 'mtu', path);
  const promisc = optBoolean(object, 'promisc', path);
  const allmulti = optBoolean(object, 'allmulti', path);
  const txQueueLen = optUint(object, 'txQLen', path);
  if (mtu !== undefined && mtu !== 0 && (mtu < 68 || mtu > 65535)) wrong(`${path}mtu`, 'must be from 68 to 65535', mtu);
  return {
    ...(mtu !== undefined && mtu !== 0 && { mtu }),
    ...(promisc && { promisc }),
    ...(allmulti !== undefined && { allmulti }),
    ...(txQueueLen !== undefined && { txQueueLen }),
  };
}

function readSysctls(object: JsonObject, path: string): [string, string][] {
  return Object.entries(optObject(object, 'sysctl', path) ?? {}).map(([key, value]) =>
    typeof value === 'string' ? [key, value] : wrong(`${path}sysctl.${key}`, 'must be a string', value),
  );
}
