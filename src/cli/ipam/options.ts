/** Options that the commands of `polder ipam` share. */

import { InvalidArgumentError, Option } from 'commander';
import { type Addr, readAddr } from '#net/addr.ts';

/** Which cluster: a lab, or any by its kubeconfig. */
export interface ClusterOptions {
  readonly name: string;
  readonly kubeconfig?: string;
}

export function kubeconfigOption(): Option {
  return new Option('--kubeconfig <file>', 'a cluster that is no lab');
}

/** @throws InvalidArgumentError, which commander says with the option's name */
export function addrArgument(text: string): Addr {
  const addr = readAddr(text);
  if (addr === undefined) throw new InvalidArgumentError('It must be an address such as 10.244.1.7 or fd00::7.');
  return addr;
}

/** For options that may be given several times. */
export function addrsArgument(text: string, before: readonly Addr[] = []): readonly Addr[] {
  return [...before, addrArgument(text)];
}
