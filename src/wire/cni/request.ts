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

/** Commands of one attachment take CNI_CONTAINERID and CNI_IFNAME, and CNI_NETNS; the others take none of them. */
const OF_ATTACHMENT: ReadonlySet<Command> = new Set(['ADD', 'DEL', 'CHECK']);

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
  const used = OF_ATTACHMENT.has(command);
  if (used) checkAttachment(command, env);
  return {
    plugin: argv0.slice(argv0.lastIndexOf('/') + 1),
    command,
    containerId: used ? (env.CNI_CONTAINERID ?? '') : '',
    netns: used ? (env.CNI_NETNS ?? '') : '',
    ifname: used ? (env.CNI_IFNAME ?? '') : '',
    args: parseArgs(env.CNI_ARGS ?? ''),
    path: splitPath(env.CNI_PATH ?? ''),
    netnsOverride: isTrue(env.CNI_NETNS_OVERRIDE),
    stdin,
  };
}

function splitPath(text: string): string[] {
  return text === '' ? [] : text.split(':').filter((dir) => dir !== '');
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && (text === '1' || text.toLowerCase() === 'true');
}

function checkAttachment(command: Command, { CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME }: Environment): void {
  if (!CNI_CONTAINERID || !CNI_IFNAME || (!CNI_NETNS && command !== 'DEL')) {
    const needed = { CNI_CONTAINERID, ...(command !== 'DEL' && { CNI_NETNS }), CNI_IFNAME };
    const missing = Object.entries(needed).filter(([, value]) => !value);
    const names = missing.map(([name]) => name).join(', ');
    throw new PolderError('cni-environment', { what: `${command} needs ${names} in the environment` });
  }
  refuse('CNI_CONTAINERID', CNI_CONTAINERID, badContainerId(CNI_CONTAINERID));
  refuse('CNI_IFNAME', CNI_IFNAME, badIfname(CNI_IFNAME));
}

function refuse(name: string, text: string, why: string | undefined): void {
  if (why) throw new PolderError('cni-environment', { what: `${name} "${text}" ${why}` });
}
