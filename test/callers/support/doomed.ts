/** A test run that will be killed: a machine with a pod on it. Says its folder when the pod runs, then waits. */

import { startContainerd } from './containerd.ts';
import { makeMachine } from './machine.ts';
import { makeBin, startServer } from './server.ts';

const machine = await makeMachine();
await startServer(machine);
const containerd = await startContainerd(machine, makeBin(machine), { '': [{ type: 'polder' }] });
await containerd.cri.runPod({ name: 'doomed' });
console.log(machine.dir);
