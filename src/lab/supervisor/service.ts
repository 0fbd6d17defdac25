/** The supervisor of one lab: a process that keeps the lab's programs running until it is told to end. */

import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { enterGroup, machineHierarchies, programsGroup } from '#lab/cgroup.ts';
import { componentsOf } from '#lab/components.ts';
import { labPaths } from '#lab/names.ts';
import { processId, writePidFile } from '#lab/process.ts';
import { labPrograms } from '#lab/programs.ts';
import { loadLab } from '#lab/state.ts';
import { MachineEffects, programEnv } from '#lab/supervisor/effects.ts';
import { Keeper, type ProgramStatus } from '#lab/supervisor/keeper.ts';
import {
  SUPERVISOR_PID,
  type SupervisorAnswer,
  type SupervisorRequest,
  type WatchAnswer,
} from '#lab/supervisor/protocol.ts';
import { linesOf, Watchers } from '#lab/supervisor/watchers.ts';

/** How often those who watch are told anew without any change of a program, ms. */
const LOOK_MS = 10_000;

/**
 * Runs until the signal; the lab's programs go on without it, and the next supervisor finds them again.
 * `log` gets a line for each change of a program's state.
 */
export async function runSupervisor(
  lab: string,
  compileCache: string,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<void> {
  const paths = labPaths(lab);
  // Whoever started us may have been killed before it put us into the lab's group, and the lab removed since.
  if (loadLab(lab) === undefined) return;
  const { unified } = machineHierarchies();
  if (unified !== undefined) enterGroup(unified, programsGroup(paths.cgroup), process.pid);
  const effects = new MachineEffects(programEnv(compileCache));
  const watchers = new Watchers();
  // lab.json may have changed: the profile, say.
  setInterval(() => watchers.wake(), LOOK_MS).unref();
  const keeper = new Keeper(effects, (status) => {
    log(describe(status));
    watchers.wake();
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    serve(linesOf(socket), socket, lab, keeper, watchers).catch((error: unknown) => log(`cannot serve: ${error}`));
  });
  await listen(server, paths.supervisorSocket);
  const own = processId(process.pid);
  if (own !== undefined) writePidFile(`${paths.runDir}/${SUPERVISOR_PID}`, own);
  await apply(lab, keeper);
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  server.close();
  effects.close();
}

async function serve(
  lines: AsyncIterable<string>,
  socket: Socket,
  lab: string,
  keeper: Keeper,
  watchers: Watchers,
): Promise<void> {
  for await (const line of lines) {
    const request = JSON.parse(line) as SupervisorRequest;
    if (request.do === 'watch') watchers.add(socket, () => shownOn(request.node, lab, keeper));
    else {
      const answer = await answerTo(request, lab, keeper, watchers);
      if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`);
    }
  }
  socket.end();
}

function shownOn(node: string, lab: string, keeper: Keeper): WatchAnswer {
  const spec = loadLab(lab);
  return { components: spec === undefined ? [] : componentsOf(spec, node, labPrograms(spec), keeper.status()) };
}

async function answerTo(
  request: SupervisorRequest,
  lab: string,
  keeper: Keeper,
  watchers: Watchers,
): Promise<SupervisorAnswer> {
  try {
    if (request.do === 'apply') {
      await apply(lab, keeper);
      watchers.wake(); // which node is the first may have changed, though no program did
    }
    if (request.do === 'restart') keeper.restart(request.id);
    return { programs: keeper.status() };
  } catch (error) {
    return { programs: keeper.status(), error: error instanceof Error ? error.message : String(error) };
  }
}

async function apply(lab: string, keeper: Keeper): Promise<void> {
  const spec = loadLab(lab);
  await keeper.reconcile(spec === undefined ? [] : labPrograms(spec));
}

function listen(server: Server, path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true }); // the lab's lock lets only one supervisor start
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

function describe(status: ProgramStatus): string {
  const end = status.lastEnd === undefined ? '' : `, ended before by ${status.lastEnd}`;
  return `${status.id} ${status.state}${status.pid === undefined ? '' : ` as process ${status.pid}`}${end}`;
}
