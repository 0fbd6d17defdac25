/** A terminal in memory, for tests of commands. */

import type { Terminal } from '#cli/terminal.ts';

export interface MemoryTerminal extends Terminal {
  readonly said: { out: string; err: string; status: number };
}

export function memoryTerminal(over: Partial<Terminal> = {}): MemoryTerminal {
  const said = { out: '', err: '', status: 0 };
  return {
    said,
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    live: false,
    outColour: false,
    errColour: false,
    canAsk: false,
    ask: async () => '',
    signal: new AbortController().signal,
    root: true,
    env: {},
    elapsed: () => 0,
    exitWith: (status) => {
      said.status = status;
    },
    ...over,
  };
}
