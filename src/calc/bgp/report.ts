/** What a node's agent says of BGP to those who ask. */

import type { NetworkAnswer } from '#calc/bgp/explain.ts';
import type { SessionReport } from '#calc/bgp/session-report.ts';
import type { Problem } from '#calc/state.ts';
import type { Addr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';
import type { BirdRoute } from '#wire/bird/show-routes.ts';

export interface BgpReport {
  readonly node: string;
  /** Absent: this node speaks no BGP. */
  readonly speaker?: { readonly asNumber: number; readonly routerId: Addr };
  /** The daemon, if it runs. Times are as BIRD writes them: `2026-11-29 03:00:22.917298`. */
  readonly daemon?: {
    readonly version: string;
    readonly now: string;
    readonly startedAt: string;
    readonly configuredAt: string;
    /** A graceful restart goes on: routes of before are kept until the peers have told theirs. */
    readonly restarting: boolean;
  };
  readonly sessions: readonly SessionReport[];
  /** What of the settings makes no session. */
  readonly problems: readonly Problem[];
  /** Why BIRD is not as it should be, if so: one sentence. */
  readonly trouble?: string;
}

export interface RoutesReport {
  readonly node: string;
  readonly routes: readonly BirdRoute[];
}

export interface WhyReport {
  readonly node: string;
  readonly asked: Prefix;
  /** Absent: BIRD knows no way there. */
  readonly answer?: NetworkAnswer;
}
