/** Each router's files and programs. */

import { labPaths } from '#lab/names.ts';
import { familiesOf, type LabSpec, underlaySubnet, underlaySubnet6 } from '#lab/spec.ts';
import { birdRouter } from '#lab/tor/bird.ts';
import { frrRouter } from '#lab/tor/frr.ts';
import { gobgpRouter } from '#lab/tor/gobgp.ts';
import type { Router, RouterKind } from '#lab/tor/routers.ts';
import type { RouterPlace, RouterSetup } from '#lab/tor/setup.ts';
import type { Prefix } from '#net/prefix.ts';

const SETUPS = { bird: birdRouter, frr: frrRouter, gobgp: gobgpRouter } as const satisfies Record<
  RouterKind,
  (place: RouterPlace) => RouterSetup
>;

export function setupOf(spec: LabSpec, router: Router): RouterSetup {
  return SETUPS[router.kind]({ router, dir: routerDir(spec.name, router), nodes: nodeNetworks(spec) });
}

/** Folder of its files and sockets. */
export function routerDir(lab: string, { name }: Pick<Router, 'name'>): string {
  return `${labPaths(lab).runDir}/${name}`;
}

function nodeNetworks(spec: LabSpec): Prefix[] {
  const subnets = Array.from({ length: spec.subnets }, (_, i) => i + 1);
  return familiesOf(spec).flatMap((family) =>
    subnets.map((subnet) => (family === 4 ? underlaySubnet(subnet) : underlaySubnet6(subnet))),
  );
}
