/** All plugins, by the name of their executable. */

import type { Plugin } from '#cni/plugin.ts';
import { polder } from '#cni/plugins/polder/polder.ts';

export const PLUGINS: ReadonlyMap<string, Plugin> = new Map([polder].map((plugin) => [plugin.type, plugin]));
