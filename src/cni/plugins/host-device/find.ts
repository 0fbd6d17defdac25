/** Which interface of the host is meant. */

import { readdirSync } from 'node:fs';
import { readStationMac } from '#cni/parts/asked.ts';
import type { PluginCall } from '#cni/plugin.ts';
import { optString, wrong } from '#wire/cni/json.ts';
import { badIfname } from '#wire/cni/names.ts';
import type { LinkBrief } from '#wire/netlink/values.ts';

/** One of `device`, `hwaddr`, `kernelpath`, `pciBusID` (or the runtime's `deviceID`), in this order. @throws PolderError cni-config */
export function findDevice(call: PluginCall): LinkBrief {
  const { key, value, name } = wish(call);
  const link = name(value);
  if (!link) return wrong(key, 'must name an interface that is there', value);
  return link.loopback ? wrong(key, 'must not be the loopback interface', value) : link;
}

interface Wish {
  readonly key: string;
  readonly value: string;
  readonly name: (value: string) => LinkBrief | undefined;
}

function wish({ conf, caller }: PluginCall): Wish {
  const { netlink } = caller;
  const pci = optString(conf.runtimeConfig, 'deviceID', 'runtimeConfig.') || optString(conf.raw, 'pciBusID', '');
  const inSysfs = (dir: string) => onlyEntry(caller.seen(dir), (name) => netlink.find(name));
  const wishes: Wish[] = [
    { key: 'device', value: optString(conf.raw, 'device', '') ?? '', name: byName },
    { key: 'hwaddr', value: optString(conf.raw, 'hwaddr', '') ?? '', name: byMac },
    { key: 'kernelpath', value: optString(conf.raw, 'kernelpath', '') ?? '', name: byPath },
    { key: 'pciBusID', value: pci ?? '', name: byPci },
  ];
  function byName(value: string): LinkBrief | undefined {
    const bad = badIfname(value);
    return bad ? wrong('device', bad, value) : netlink.find(value);
  }
  function byMac(value: string): LinkBrief | undefined {
    const mac = readStationMac(value, 'hwaddr');
    const found = netlink.links().find((link) => link.mac === mac);
    return found && netlink.find(found.name);
  }
  function byPath(value: string): LinkBrief | undefined {
    if (!value.startsWith('/sys/devices/') || value.includes('..'))
      wrong('kernelpath', 'must begin with /sys/devices/', value);
    return inSysfs(`${value}/net`);
  }
  function byPci(value: string): LinkBrief | undefined {
    if (!/^[0-9a-fA-F:.]+$/.test(value)) wrong('pciBusID', 'must be such as 0000:00:1f.6', value);
    const dir = `/sys/bus/pci/devices/${value}`;
    return inSysfs(`${dir}/net`) ?? inSysfs(`${dir}/${virtioOf(caller.seen(dir)) ?? ''}/net`);
  }
  return (
    wishes.find(({ value }) => value !== '') ??
    wrong('device', 'must be given, or hwaddr, kernelpath or pciBusID', undefined)
  );
}

/** A card of a virtual machine has its interface below a device of virtio's own. */
function virtioOf(dir: string): string | undefined {
  return entries(dir).find((name) => name.startsWith('virtio'));
}

function onlyEntry(dir: string, link: (name: string) => LinkBrief | undefined): LinkBrief | undefined {
  return entries(dir)
    .map(link)
    .find((found) => found !== undefined);
}

function entries(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
