/** The configuration of `tuning`: what the interface and the parameters of the pod's network are to be. */

import { readStationMac } from '#cni/parts/asked.ts';
import type { PluginCall } from '#cni/plugin.ts';
import type { Mac } from '#net/mac.ts';
import { type JsonObject, optBoolean, optObject, optString, optUint, wrong } from '#wire/cni/json.ts';
import { ifReadable } from '#wire/cni/lenient.ts';

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
export function readTuningConf(call: PluginCall): TuningConf {
  const { raw, cniArgs } = call.conf;
  const mac = readMac(call);
  return {
    attributes: { ...changesOf({ ...readKeys(raw, ''), ...readKeys(cniArgs, 'args.cni.') }), ...(mac && { mac }) },
    sysctl: new Map([...readSysctls(raw, ''), ...readSysctls(cniArgs, 'args.cni.')]),
    dataDir: readDataDir(raw),
  };
}

/** All that DEL and GC need. */
export function dataDirAtDel({ conf }: PluginCall): Pick<TuningConf, 'dataDir'> {
  return { dataDir: ifReadable(() => readDataDir(conf.raw)) ?? DEFAULT_DATA_DIR };
}

function readDataDir(raw: JsonObject): string {
  return optString(raw, 'dataDir', '') || DEFAULT_DATA_DIR;
}

/** The first that says one, in the reference plugin's order. */
function readMac({ conf, request }: PluginCall): Mac | undefined {
  return (
    readStationMac(optString(conf.cniArgs, 'mac', 'args.cni.'), 'args.cni.mac') ??
    readStationMac(optString(conf.runtimeConfig, 'mac', 'runtimeConfig.'), 'runtimeConfig.mac') ??
    readStationMac(request.args.get('MAC'), 'MAC of CNI_ARGS') ??
    readStationMac(optString(conf.raw, 'mac', ''), 'mac')
  );
}

type Keys = Omit<Attributes, 'mac'>;

function readKeys(object: JsonObject, path: string): Keys {
  const mtu = optUint(object, 'mtu', path);
  const promisc = optBoolean(object, 'promisc', path);
  const allmulti = optBoolean(object, 'allmulti', path);
  const txQueueLen = optUint(object, 'txQLen', path);
  if (mtu !== undefined && mtu !== 0 && (mtu < 68 || mtu > 65535)) wrong(`${path}mtu`, 'must be from 68 to 65535', mtu);
  return {
    ...(mtu !== undefined && { mtu }),
    ...(promisc !== undefined && { promisc }),
    ...(allmulti !== undefined && { allmulti }),
    ...(txQueueLen !== undefined && { txQueueLen }),
  };
}

/** `mtu: 0` and `promisc: false` say nothing, as with the reference plugin; `allmulti: false` switches off. */
function changesOf({ mtu, promisc, ...rest }: Keys): Attributes {
  return { ...rest, ...(mtu !== undefined && mtu !== 0 && { mtu }), ...(promisc && { promisc }) };
}

function readSysctls(object: JsonObject, path: string): [string, string][] {
  return Object.entries(optObject(object, 'sysctl', path) ?? {}).map(([key, value]) =>
    typeof value === 'string' ? [key, value] : wrong(`${path}sysctl.${key}`, 'must be a string', value),
  );
}
