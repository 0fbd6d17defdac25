/** The kernel's present objects, as diff wants them. Always read, never remembered. */

import type { Have, Wanted } from '#plan/objects.ts';
import { readAddresses } from '#sync/drivers/addresses.ts';
import { readFdb } from '#sync/drivers/fdb.ts';
import { readLinks } from '#sync/drivers/links.ts';
import { readNeighbours } from '#sync/drivers/neighbours.ts';
import { readNft } from '#sync/drivers/nft.ts';
import { readRoutes } from '#sync/drivers/routes.ts';
import { readRules } from '#sync/drivers/rules.ts';
import { readSysctls } from '#sync/drivers/sysctls.ts';
import { readWireguard } from '#sync/drivers/wireguard.ts';
import type { Kernel } from '#sync/kernel.ts';

/** Synchronous: nothing of this process comes between the reading of one kind and the next. */
export function readHave({ netlink, nft, sysctl, wireguard }: Kernel, wanted: Wanted): Have {
  const { links, own } = readLinks(netlink);
  const table = readNft(nft);
  return {
    links,
    ownLinks: new Set(own.map(({ name }) => name)),
    addresses: readAddresses(netlink, own),
    neighbours: readNeighbours(netlink, own),
    fdb: readFdb(netlink, own),
    ...readRoutes(netlink, wanted.routes),
    rules: readRules(netlink),
    wireguard: readWireguard(wireguard, own),
    sysctls: readSysctls(sysctl, wanted.sysctls),
    ...(table ? { nft: table } : {}),
  };
}
