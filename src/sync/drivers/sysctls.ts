/** Kernel parameters: the wanted ones are set and never put back, since others may have come to need them. */

import type { Sysctl } from '#plan/objects.ts';
import type { SysctlPort } from '#sync/kernel.ts';

export function readSysctls(port: SysctlPort, wanted: readonly Sysctl[]): Sysctl[] {
  return wanted.flatMap(({ name }) => {
    const value = port.read(name);
    return value === undefined ? [] : [{ name, value }];
  });
}
