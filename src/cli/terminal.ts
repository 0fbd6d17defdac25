/** What a command may do with the person who runs it. `src/cmd` makes one of the process; tests make one of memory. */

export interface Terminal {
  /** Results, to standard output. */
  out(text: string): void;
  /** Progress, warnings and questions, to standard error. */
  err(text: string): void;
  /** Whether standard error may be redrawn: a terminal. */
  readonly live: boolean;
  readonly outColour: boolean;
  readonly errColour: boolean;
  /** Whether somebody can answer. */
  readonly canAsk: boolean;
  /** The line that the person answers. */
  ask(question: string): Promise<string>;
  /** Ends when the person asks to stop (Ctrl-C, SIGTERM). */
  readonly signal: AbortSignal;
  readonly root: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the process began. */
  readonly elapsed: () => number;
  /** Sets the exit status of the process, once the command has ended. */
  exitWith(status: number): void;
}

/** SGR parameters (ECMA-48). */
const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Style = keyof typeof STYLES;

export function paint(on: boolean, style: Style, text: string): string {
  return on ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
}
