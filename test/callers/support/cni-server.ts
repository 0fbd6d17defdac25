/**
 * The CNI server as the agent has it, in a process of its own, to be killed: `cni-server.ts SOCKET STATE-DIR ATTACHMENT`.
 * Ends with its standard input.
 */

import { startCniServer } from '#cni/server/server.ts';
import { BRIDGED, ROUTED } from '#cni/testing/bed.ts';

const [, , socketPath = '', stateDir = '', attachment = ''] = process.argv;
const network = attachment === 'bridge' ? BRIDGED : ROUTED;
const complain = (fields: object, message: string) => console.error(message, fields);
const log = { info() {}, warn: complain, error: complain };
await using _ = await startCniServer({ socketPath, stateDir, nodeNetwork: () => network, log, coolDownMs: 0 });
console.log('ready');
for await (const _ of process.stdin);
