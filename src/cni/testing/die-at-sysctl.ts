/**
 * A process that asks `tuning` as a runtime would (CNI_* in its environment, the configuration on its standard input),
 * and is killed when it has changed the first kernel parameter of the pod.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { KeyedLock } from '#cni/keyed-lock.ts';
import type { CallerNetns, PluginHost } from '#cni/plugin.ts';
import { tuning } from '#cni/plugins/tuning/tuning.ts';
import { NODE_CIDRS } from '#cni/pools/book.ts';
import { Callers } from '#cni/server/caller.ts';
import { dispatch } from '#cni/server/dispatch.ts';

function dying(caller: CallerNetns): CallerNetns {
  const open = caller.openPod.bind(caller);
  caller.openPod = (path) => {
    const pod = open(path);
    const write = pod.writeSysctl.bind(pod);
    pod.writeSysctl = (name, value) => {
      write(name, value);
      process.kill(process.pid, 'SIGKILL');
    };
    return pod;
  };
  return caller;
}

const host: PluginHost = {
  plugin: async () => tuning,
  log: { info() {}, warn() {}, error() {} },
  nodeNetwork: () => undefined,
  addresses: NODE_CIDRS,
  get store(): never {
    return assert.fail('tuning has no endpoints');
  },
};

const callers = new Callers();
const { stdout } = await dispatch(
  { argv0: '/opt/cni/bin/tuning', env: process.env, stdin: readFileSync(0, 'utf8') },
  {
    locks: new KeyedLock(),
    host,
    withCaller: (_, use) => callers.of(process, false, (caller) => use(dying(caller))),
    abandoned: () => false,
  },
);
console.error(`It was not killed: ${stdout}`);
