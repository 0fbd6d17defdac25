/** `subnet.env` of the node, as flanneld would write it: the CNI plugin flannel reads it. */

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import type { NodeState } from '#calc/state.ts';
import type { ClusterConfig } from '#spec/cluster.ts';
import { printSubnetEnv } from '#wire/cni/subnet-env.ts';

/**
 * Keeps the file as the node's state is: only nodes whose pods hang on a bridge have one, since only there does
 * Flannel's plugin fit.
 */
export class SubnetFile {
  readonly #path: string;
  #written: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Writes only what has changed. @throws Error if the folder cannot be written. */
  keep(state: NodeState, config: ClusterConfig): void {
    const text = state.attachment === 'bridge' ? textOf(state, config) : '';
    if (text === this.#written) return;
    if (text === '') rmSync(this.#path, { force: true });
    else {
      writeFileSync(`${this.#path}.new`, text);
      renameSync(`${this.#path}.new`, this.#path);
    }
    this.#written = text;
  }
}

function textOf(state: NodeState, config: ClusterConfig): string {
  return printSubnetEnv({
    networks: config.clusterCidrs,
    subnets: state.networks,
    mtu: state.podMtu,
    masquerade: config.masquerade,
  });
}
