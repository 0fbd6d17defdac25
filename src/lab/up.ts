/** Brings a lab up: checks everything first, then makes what is missing, so that it also mends a lab that is half there. */

import { readFileSync } from 'node:fs';
import type { ApiClient } from '#feed/client.ts';
import { checkSpec } from '#lab/check.ts';
import { ensureKeys } from '#lab/keys.ts';
import { lockLab, lockPorts } from '#lab/lock.ts';
import { labPaths } from '#lab/names.ts';
import { ensureNodeFiles } from '#lab/node-files.ts';
import { checkPort, freePort } from '#lab/ports.ts';
import { logName } from '#lab/programs.ts';
import { ensureConfig, labClient, whenNodesReady } from '#lab/ready.ts';
import { checkKernel } from '#lab/requirements.ts';
import { clusterCidrs, DEFAULT_API_PORT, type LabSpec, labSpec, type NodeSpec, type WantedLab } from '#lab/spec.ts';
import { listLabs, loadLab, saveLab } from '#lab/state.ts';
import type { Step } from '#lab/step.ts';
import { askSupervisor, ensureSupervisor, supervisorStatus } from '#lab/supervisor/client.ts';
import type { ProgramStatus } from '#lab/supervisor/keeper.ts';
import { ensurePeers } from '#lab/tor/peers.ts';
import { checkRouters, ensureRouters } from '#lab/tor/place.ts';
import { ensureNode, ensureUnderlay, labNetns } from '#lab/underlay.ts';
import { ensureUplink } from '#lab/uplink.ts';
import { PolderError } from '#spec/errors.ts';

export interface UpContext {
  readonly step: Step;
  /** Ends the waiting, not what has been started. */
  readonly signal: AbortSignal;
  /** Folder of compiled code, for the programs. */
  readonly compileCache: string;
  /** Milliseconds that the whole may take before it is given up, and so each part of it; absent: by the number of nodes. */
  readonly timeoutMs?: number;
}

/** Milliseconds that the whole may take before it is given up, beside those for each node. */
const DEADLINE_MS = 60_000;
const DEADLINE_PER_NODE_MS = 2_000;
/** A program that ended this often in a row will not come up by waiting. */
const HOPELESS_FAILURES = 5;
const LOOK_MS = 1_000;
const LINE_LIMIT = 300;

/** @returns what is up now. @throws PolderError; by a failed check before anything was changed. */
export async function bringUp(wanted: WantedLab, context: UpContext): Promise<LabSpec> {
  using _lock = await lockLab(wanted.name);
  const { step } = context;
  const spec = await settle(wanted, step);
  await step('making the nodes', async (say) => {
    makeNetwork(spec);
    say(`${spec.nodes.length} on ${spec.subnets === 1 ? 'one subnet' : `${spec.subnets} subnets`}`);
  });
  // The supervisor starts while the keys are made; each program waits for the file that it needs.
  ensureSupervisor(spec.name, context.compileCache);
  await step('making keys', () => ensureKeys(spec));
  await step('starting programs', () => askSupervisor(spec.name, { do: 'apply' }, context.timeoutMs));
  await whenReady(spec, context);
  return spec;
}

/** Written down before another lab chooses its port: two may be brought up at once. */
async function settle(wanted: WantedLab, step: Step): Promise<LabSpec> {
  using _ports = await lockPorts();
  const spec = plan(wanted);
  await step('checking the machine', async () => checkMachine(spec));
  saveLab(labPaths(spec.name), spec);
  return spec;
}

/** What is there already stands; what is asked for must agree with it. */
function plan(wanted: WantedLab): LabSpec {
  const found = loadLab(wanted.name);
  const others = listLabs().filter((lab) => lab !== wanted.name);
  if (found === undefined) {
    const apiPort = wanted.apiPort ?? freePort(DEFAULT_API_PORT, others);
    const spec = labSpec({ ...wanted, apiPort });
    checkSpec(spec);
    return spec;
  }
  const { clusterCidr: _, ...kept } = keep(found);
  const asked = wanted.family === undefined ? keep(found) : kept;
  const difference = differs(found, labSpec({ ...asked, ...wanted }), wanted);
  if (difference === undefined) return found;
  throw new PolderError('lab-differs', { lab: wanted.name, what: difference });
}

function keep(found: LabSpec): WantedLab {
  const { name, profile, subnets, mtu, apiPort, masquerade, uplink = false, tor = false } = found;
  const clusterCidr = clusterCidrs(found).join(',');
  return { name, profile, clusterCidr, subnets, mtu, apiPort, masquerade, uplink, tor, nodes: found.nodes };
}

/** The first thing of an existing lab that is not as asked, said so that it can be read after "with". */
export function differs(found: LabSpec, asked: LabSpec, wanted: WantedLab): string | undefined {
  for (const key of ['profile', 'subnets', 'mtu', 'apiPort', 'masquerade'] as const) {
    if (found[key] !== asked[key]) return `${WORDS[key]} ${found[key]}, not ${asked[key]}`;
  }
  const networks = [found, asked].map((spec) => clusterCidrs(spec).join(' and '));
  if (networks[0] !== networks[1]) return `cluster network ${networks[0]}, not ${networks[1]}`;
  if (found.tor !== asked.tor) return found.tor ? 'top-of-rack routers' : 'no top-of-rack routers';
  if (found.uplink !== asked.uplink) return found.uplink ? 'an uplink' : 'no uplink';
  const names = (spec: LabSpec) => spec.nodes.map((node) => node.name).join(', ');
  const sameNodes =
    wanted.nodes === undefined || wanted.nodeCount !== undefined
      ? found.nodes.length === asked.nodes.length
      : names(found) === names(asked);
  return sameNodes ? undefined : `the nodes ${names(found)}, not ${names(asked)}`;
}

const WORDS = {
  profile: 'profile',
  subnets: 'subnets:',
  mtu: 'MTU',
  apiPort: 'API port',
  masquerade: 'masquerade:',
} as const;

function checkMachine(spec: LabSpec): void {
  if (labNetns(spec.name).length > 0) return; // it has been checked when the lab was made
  checkKernel(spec.profile);
  checkRouters(spec);
  checkPort(
    spec.apiPort,
    listLabs().filter((lab) => lab !== spec.name),
  );
}

function makeNetwork(spec: LabSpec): void {
  using underlay = ensureUnderlay(spec);
  if (spec.uplink) ensureUplink(spec.name, underlay);
  ensureRouters(spec, underlay);
  for (const node of spec.nodes) {
    ensureNodeFiles(spec.name, node.name);
    if (node.stopped !== true) ensureNode(spec, node, underlay).close();
  }
}

/** Waits for the API and the nodes, and ends early when a program cannot live. */
async function whenReady(spec: LabSpec, context: UpContext): Promise<void> {
  const deadline = AbortSignal.timeout(context.timeoutMs ?? DEADLINE_MS + DEADLINE_PER_NODE_MS * spec.nodes.length);
  const hopeless = new AbortController();
  const watcher = setInterval(() => void lookForHopeless(spec, hopeless), LOOK_MS);
  const signal = AbortSignal.any([context.signal, deadline, hopeless.signal]);
  try {
    using client = await context.step('waiting for the API', () => startApi(spec, signal, context.timeoutMs));
    await context.step('waiting for the nodes', (say) => nodesReady(client, spec, signal, say));
  } catch (error) {
    if (deadline.aborted) throw await tooLate(spec);
    signal.throwIfAborted(); // what was asked then broke off with it
    throw error;
  } finally {
    clearInterval(watcher);
  }
}

async function startApi(spec: LabSpec, signal: AbortSignal, answerMs?: number): Promise<ApiClient> {
  const client = await labClient(spec.name, signal, answerMs);
  signal.addEventListener('abort', () => client.close(), { once: true });
  await ensureConfig(client, spec);
  await ensurePeers(client, spec);
  return client;
}

async function nodesReady(
  client: ApiClient,
  spec: LabSpec,
  signal: AbortSignal,
  say: (detail: string) => void,
): Promise<void> {
  const names = runningNodes(spec).map((node) => node.name);
  let ready = 0;
  await whenNodesReady(client, names, signal, (node) => {
    ready += 1;
    say(`${ready} of ${names.length}: ${node.metadata.name} has ${node.spec?.podCIDR}`);
  });
}

export function runningNodes(spec: LabSpec): NodeSpec[] {
  return spec.nodes.filter((node) => node.stopped !== true);
}

async function lookForHopeless(spec: LabSpec, hopeless: AbortController): Promise<void> {
  const programs = (await supervisorStatus(spec.name))?.programs ?? [];
  const bad = programs.find((program) => program.failures >= HOPELESS_FAILURES);
  if (bad !== undefined) hopeless.abort(notReady(spec, bad, `${bad.id} ends again and again (${bad.lastEnd})`));
}

async function tooLate(spec: LabSpec): Promise<PolderError> {
  const programs = (await supervisorStatus(spec.name))?.programs ?? [];
  const bad = programs.find((program) => program.state !== 'running') ?? programs[0];
  return notReady(spec, bad, 'it took too long');
}

function notReady(spec: LabSpec, program: ProgramStatus | undefined, what: string): PolderError {
  const said = program === undefined ? '' : lastLine(`${labPaths(spec.name).logsDir}/${logName(program.id)}`);
  return new PolderError('lab-not-ready', {
    lab: spec.name,
    what: said === '' ? what : `${what}; its last line was: ${said}`,
    program: program?.id ?? 'supervisor',
  });
}

/** The last line that says something: of a crash the error, not the trace below it. */
function lastLine(file: string): string {
  try {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const line = lines.findLast((each) => /^\w*Error\b|^\{/.test(each)) ?? lines.at(-1) ?? '';
    return line.slice(0, LINE_LIMIT);
  } catch {
    return '';
  }
}
