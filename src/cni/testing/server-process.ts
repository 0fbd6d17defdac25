/** The CNI server in a process of its own, to be killed: `server-process.ts SOCKET STATE-DIR`. Ends with its standard input. */

import { startCniServer } from '#cni/server/server.ts';
import { ROUTED } from '#cni/testing/bed.ts';

const [, , socketPath = '', stateDir = ''] = process.argv;
const log = { info() {}, warn() {}, error: (fields: object, message: string) => console.error(message, fields) };
const options = { socketPath, stateDir, nodeNetwork: () => ROUTED, log, coolDownMs: 0 };
await using _ = await startCniServer(options);
console.log('ready');
for await (const _ of process.stdin);
