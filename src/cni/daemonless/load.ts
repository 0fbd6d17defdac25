/**
 * Loads a plugin when it is needed: a process that lives for one call pays for each module that it imports, and an agent
 * for as long as it lives (9 MB for all of them). Plugins are found by their place, `plugins/TYPE/TYPE.ts`; load.test.ts
 * holds that against the table of all.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { needsAgent } from '#cni/daemonless/needs-agent.ts';
import type { Plugin } from '#cni/plugin.ts';

const PLUGINS_DIR = join(import.meta.dirname, '../plugins');

/** Those whose state is the agent's. */
export const NEED_AGENT: readonly string[] = ['polder'];

/** Finds plugins by their type; undefined if there is no such one. Knows those that it has found. */
export function pluginLoader(known: readonly Plugin[]): (type: string) => Promise<Plugin | undefined> {
  const found = new Map(known.map((plugin) => [plugin.type, plugin]));
  return async (type) => {
    const there = found.get(type);
    if (there) return there;
    const plugin = await load(type);
    if (plugin) found.set(type, plugin);
    return plugin;
  };
}

/** As a process without an agent finds them. */
export const loadPlugin = pluginLoader(NEED_AGENT.map(needsAgent));

async function load(type: string): Promise<Plugin | undefined> {
  const late: unknown = Reflect.get(globalThis, 'polderLate');
  const module = typeof late === 'object' && late !== null ? bundled(late, type) : await found(type);
  return Object.values(module ?? {}).find((value): value is Plugin => isPlugin(value, type));
}

type Module = Readonly<Record<string, unknown>>;

/** In a bundle (`bundle.ts`) there are no files to be found: it has a table. */
function bundled(late: object, type: string): Module | undefined {
  const load: unknown = Object.hasOwn(late, type) ? Reflect.get(late, type) : undefined;
  return typeof load === 'function' ? load() : undefined;
}

async function found(type: string): Promise<Module | undefined> {
  if (!/^[a-z][a-z0-9-]*$/.test(type) || !existsSync(join(PLUGINS_DIR, type, `${type}.ts`))) return undefined;
  const file = `#cni/plugins/${type}/${type}.ts`;
  return import(file);
}

function isPlugin(value: unknown, type: string): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === type && 'add' in value;
}
