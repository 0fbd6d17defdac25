/**
 * The registry of errors that people meet: a stable code, one sentence, what to do about it, and the numbers that
 * callers see (exit status of the CLI, code of the CNI specification §Error). `docs/errors.md` is generated from it.
 */

export interface ErrorRow {
  /** One sentence; `{name}` is filled from the error's details. */
  readonly sentence: string;
  /** What the reader can do about it. */
  readonly todo: string;
  /** Exit status of the command that stops with it. */
  readonly exit: number;
  /** CNI result code, where a plugin can say it (CNI spec 1.1.0, "Error": 1-99 are the spec's, 100+ the plugin's own). */
  readonly cni?: number;
}

export const ERRORS = {
  usage: {
    sentence: '{what}',
    todo: 'Run the command with --help to see what it takes.',
    exit: 2,
  },
  'not-root': {
    sentence: 'This needs root: it makes network namespaces and mounts.',
    todo: 'Run it again with sudo.',
    exit: 3,
  },
  'kernel-feature-missing': {
    sentence: 'The kernel has no {feature}{detail}.',
    todo: 'Load or build the module, or choose a profile that does not need it.',
    exit: 4,
    cni: 100,
  },
  'kernel-refused': {
    sentence: 'The kernel refused `{command}`: {reason}.',
    todo: 'Look at the object that the line names; `dmesg` may say more.',
    exit: 5,
    cni: 101,
  },
  'cidr-invalid': {
    sentence: '{what}',
    todo: 'Give networks such as 10.244.0.0/16, with host bits zero and without overlap.',
    exit: 6,
    cni: 7,
  },
  'file-invalid': {
    sentence: '{file}: {what}',
    todo: 'Correct the file and run the command again; nothing was changed.',
    exit: 7,
    cni: 6,
  },
  'port-in-use': {
    sentence: 'Port {port} on {address} is in use{by}.',
    todo: 'Choose another with --api-port, or end the program that holds it.',
    exit: 8,
  },
  internal: {
    sentence: '{what}',
    todo: 'This is a bug in Polder; please report it with the lines above.',
    exit: 70,
    cni: 999,
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** An error for a person: from the registry, with its details filled in. */
export class PolderError extends Error {
  override readonly name = 'PolderError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, details: Readonly<Record<string, string | number>> = {}, options?: ErrorOptions) {
    super(fill(ERRORS[code].sentence, details), options);
    this.code = code;
    this.details = details;
  }

  /** The registry's row. */
  get row(): ErrorRow {
    return ERRORS[this.code];
  }
}

function fill(sentence: string, details: Readonly<Record<string, string | number>>): string {
  return sentence.replace(/\{(\w+)\}/g, (_, key: string) => String(details[key] ?? ''));
}
