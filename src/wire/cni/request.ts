/** One call of a plugin: argv[0], the CNI_* environment and standard input, checked (CNI spec 1.1.0, "Parameters"). */

import { PolderError } from '#spec/errors.ts';
import { parseArgs } from '#wire/cni/args.ts';
import { badContainerId, badIfname } from '#wire/cni/names.ts';

export const COMMANDS = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'] as const;
export type Command = (typeof COMMANDS)[number];

export interface CniRequest {
  /** Base name of argv[0]: which plugin is asked. */
  readonly plugin: string;
  readonly command: Command;
  /** '' where the command has none (STATUS, GC, VERSION). */
  readonly containerId: string;
  /** Path of the pod's network namespace as the caller sees it; '' if not given. */
  readonly netns: string;
  readonly ifname: string;
  readonly args: ReadonlyMap<string, string>;
  /** CNI_PATH, split. */
  readonly path: readonly string[];
  /** CNI_NETNS_OVERRIDE: the caller really means its own namespace. */
  readonly netnsOverride: boolean;
  readonly stdin: string;
}

export type Environment = { readonly [name: string]: string | undefined };

type Need = 'required' | 'optional' | 'unused';

/** Which variables each command takes. */
const NEEDS = {
  ADD: { CNI_CONTAINERID: 'required', CNI_NETNS: 'required', CNI_IFNAME: 'required' },
  DEL: { CNI_CONTAINERID: 'required', CNI_NETNS: 'optional', CNI_IFNAME: 'required' },
  CHECK: { CNI_CONTAINERID: 'required', CNI_NETNS: 'required', CNI_IFNAME: 'required' },
  STATUS: { CNI_CONTAINERID: 'unused', CNI_NETNS: 'unused', CNI_IFNAME: 'unused' },
  GC: { CNI_CONTAINERID: 'unused', CNI_NETNS: 'unused', CNI_IFNAME: 'unused' },
  VERSION: { CNI_CONTAINERID: 'unused', CNI_NETNS: 'unused', CNI_IFNAME: 'unused' },
} as const satisfies Record<Command, Record<string, Need>>;

function isCommand(text: string): text is Command {
  return (COMMANDS as readonly string[]).includes(text);
}

/** @throws PolderError cni-environment naming every variable that is wrong (CNI code 4). */
export function readRequest(argv0: string, env: Environment, stdin: string): CniRequest {
  const command = env.CNI_COMMAND ?? '';
  if (!isCommand(command)) {
    const what = command === '' ? 'CNI_COMMAND is missing' : `Unknown CNI_COMMAND "${command}"`;
    throw new PolderError('cni-environment', { what: `${what}: it is one of ${COMMANDS.join(', ')}` });
  }
  checkNeeds(command, env);
  const used = (name: 'CNI_CONTAINERID' | 'CNI_NETNS' | 'CNI_IFNAME') =>
    NEEDS[command][name] === 'unused' ? '' : (env[name] ?? '');
  return {
    plugin: argv0.slice(argv0.lastIndexOf('/') + 1),
    command,
    containerId: used('CNI_CONTAINERID'),
    netns: used('CNI_NETNS'),
    ifname: used('CNI_IFNAME'),
    args: parseArgs(env.CNI_ARGS ?? ''),
    path: (env.CNI_PATH ?? '').split(':').filter((dir) => dir !== ''),
    netnsOverride: ['1', 'true'].includes((env.CNI_NETNS_OVERRIDE ?? '').toLowerCase()),
    stdin,
  };
}

function checkNeeds(command: Command, env: Environment): void {
  const missing = Object.entries(NEEDS[command]).filter(([name, need]) => need === 'required' && !env[name]);
  if (missing.length > 0) {
    const names = missing.map(([name]) => name).join(', ');
    throw new PolderError('cni-environment', { what: `${command} needs ${names} in the environment` });
  }
  const needs: Record<string, Need> = NEEDS[command];
  checkOne(needs, 'CNI_CONTAINERID', env, badContainerId);
  checkOne(needs, 'CNI_IFNAME', env, badIfname);
}

function checkOne(
  needs: Record<string, Need>,
  name: string,
  env: Environment,
  bad: (text: string) => string | undefined,
): void {
  if (needs[name] !== 'required') return;
  const why = bad(env[name] ?? '');
  if (why) throw new PolderError('cni-environment', { what: `${name} "${env[name]}" ${why}` });
}
