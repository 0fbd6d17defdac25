/**
 * Loads a plugin when it is needed: a process that lives for one call pays for each module that it imports.
 * Plugins are found by their place, `plugins/TYPE/TYPE.ts`; load.test.ts holds that against the agent's table.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { needsAgent } from '#cni/daemonless/needs-agent.ts';
import type { Plugin } from '#cni/plugin.ts';

const PLUGINS_DIR = join(import.meta.dirname, '../plugins');

/** Those whose state is the agent's. */
export const NEED_AGENT: readonly string[] = ['polder'];

/** Undefined if there is no such plugin. */
export async function loadPlugin(type: string): Promise<Plugin | undefined> {
  if (NEED_AGENT.includes(type)) return needsAgent(type);
  if (!/^[a-z][a-z0-9-]*$/.test(type) || !existsSync(join(PLUGINS_DIR, type, `${type}.ts`))) return undefined;
  const module: Record<string, unknown> = await import(`#cni/plugins/${type}/${type}.ts`);
  return Object.values(module).find((value): value is Plugin => isPlugin(value, type));
}

function isPlugin(value: unknown, type: string): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === type && 'add' in value;
}
