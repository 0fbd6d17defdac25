/** All plugins, by the name of their executable. */

import type { Plugin } from '#cni/plugin.ts';
import { polder } from '#cni/plugins/polder/polder.ts';
import { portmap } from '#cni/plugins/portmap/portmap.ts';

const ALL: readonly Plugin[] = [polder, portmap];

export const PLUGINS: ReadonlyMap<string, Plugin> = new Map(ALL.map((plugin) => [plugin.type, plugin]));
