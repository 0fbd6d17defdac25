import type { ExitStatus } from '#lab/kubelet/stream/backend.ts';

/**
 * The end of a session as the `Status` that the error stream carries since protocol version 4: success, an exit code
 * (reason `NonZeroExitCode`, cause `ExitCode`), or an error of ours.
 */
export function statusJson(exit: ExitStatus): string {
  if ('error' in exit) return failure(exit.error, 'InternalError', [{ message: exit.error }], 500);
  if (exit.code === 0) return JSON.stringify({ metadata: {}, status: 'Success' });
  const code = String(exitByte(exit.code));
  const message = `command terminated with non-zero exit code: exit status ${code}`;
  return failure(message, 'NonZeroExitCode', [{ reason: 'ExitCode', message: code }]);
}

/** The same for the protocols before version 4: text, and nothing at all for success. */
export function statusText(exit: ExitStatus): string {
  if ('error' in exit) return exit.error;
  return exit.code === 0 ? '' : `command terminated with non-zero exit code: exit status ${exitByte(exit.code)}`;
}

function failure(message: string, reason: string, causes: readonly object[], code?: number): string {
  return JSON.stringify({ metadata: {}, status: 'Failure', message, reason, details: { causes }, code });
}

/** Clients read eight bits; a status that is not 0 must not become it. */
function exitByte(code: number): number {
  return code & 0xff || 1;
}
