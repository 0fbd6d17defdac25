/** The CNI server in a process of its own, as the agent has it: `server.ts SOCKET STATE-DIR ATTACHMENT`. */

import { startCniServer } from '#cni/server/server.ts';
import { parsePrefix } from '#net/prefix.ts';
import type { NodeNetwork } from '#spec/node-network.ts';

const [, , socketPath = '', stateDir = '', attachment = ''] = process.argv;
const network: NodeNetwork = {
  attachment: attachment === 'bridge' ? 'bridge' : 'routed',
  bridge: 'ours0',
  hostIfPrefix: attachment === 'bridge' ? 'veth' : 'cali',
  podCidrs: [parsePrefix('10.201.0.0/16')],
  mtu: 1500,
};
const complain = (fields: object, message: string) => console.error(message, fields);
const log = { info: complain, warn: complain, error: complain };
await using _ = await startCniServer({ socketPath, stateDir, nodeNetwork: () => network, log });
console.log('ready');
for await (const _ of process.stdin);
