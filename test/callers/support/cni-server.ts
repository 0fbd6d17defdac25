/**
 * The CNI server as the agent has it, in a process of its own, to be killed: `cni-server.ts SOCKET STATE-DIR`.
 * Each line of standard input asks for the endpoints as a line of JSON; ends with its standard input.
 */

import { createInterface } from 'node:readline';
import { startCniServer } from '#cni/server/server.ts';
import { ROUTED } from '#cni/testing/bed.ts';

const [, , socketPath = '', stateDir = ''] = process.argv;
const complain = (fields: object, message: string) => console.error(message, fields);
const log = { info() {}, warn: complain, error: complain };
await using server = await startCniServer({ socketPath, stateDir, nodeNetwork: () => ROUTED, log, coolDownMs: 0 });
console.log('ready');
for await (const _ of createInterface({ input: process.stdin })) console.log(JSON.stringify(server.endpoints()));
