/** What commands say to a lab's supervisor, and what it answers: one JSON line each way on its unix socket. */

import type { Component } from '#lab/components.ts';
import type { ProgramStatus } from '#lab/supervisor/keeper.ts';

/**
 * 'apply': read lab.json again and make it so; answered when what is to end has ended and the rest is started.
 * 'restart': end a program, so that it is started again; answered at once.
 * 'watch': what the node's kubelet is to show, now and after each change, until the client goes: `WatchAnswer`s.
 */
export type SupervisorRequest =
  | { readonly do: 'apply' }
  | { readonly do: 'status' }
  | { readonly do: 'restart'; readonly id: string }
  | { readonly do: 'watch'; readonly node: string };

export interface SupervisorAnswer {
  readonly programs: readonly ProgramStatus[];
  /** Set if it could not be done. */
  readonly error?: string;
}

export interface WatchAnswer {
  readonly components: readonly Component[];
}

/** Name of the supervisor's process file below the lab's run folder. */
export const SUPERVISOR_PID = 'supervisor.pid';
