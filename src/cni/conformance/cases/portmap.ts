/** `portmap`: who reaches a mapped port, and who does not. */

import { join } from 'node:path';
import { succeeded } from '#cni/conformance/answer.ts';
import type { Case } from '#cni/conformance/case.ts';
import { answered, type Protocol, seenAs, serve, silent } from '#cni/conformance/echo.ts';
import { must } from '#cni/conformance/exec.ts';
import { NODE_ADDRESS, NODE_ADDRESS6, OUTSIDE_ADDRESS, OUTSIDE_ADDRESS6 } from '#cni/conformance/ground.ts';
import { NotHere, need } from '#cni/conformance/outcome.ts';
import type { Trial } from '#cni/conformance/trial.ts';
import type { JsonObject } from '#wire/cni/json.ts';

export function portmapCases(): Case[] {
  const protocols = ['tcp', 'udp'] as const;
  return [
    ...protocols.map(
      (protocol): Case => ({
        id: `traffic.${protocol}`,
        about: `${protocol} to a port of the node reaches the pod, from outside and from another pod; after DEL it does not`,
        async run(trial) {
          trial.extra = mapping({ protocol });
          const [pod, other] = [await trial.added(), await trial.added()];
          const port = 8000 + pod.n;
          using _tcp = await serve(pod.netns, 'tcp');
          using _udp = await serve(pod.netns, 'udp');
          const seen = await seenAs(trial.outside, protocol, NODE_ADDRESS, port);
          need(seen !== '', 'the pod’s answer to the outside', () => 'none');
          need(seen === OUTSIDE_ADDRESS, `the pod to see who asks, ${OUTSIDE_ADDRESS}`, () => seen);
          const beside = await answered(other.netns, protocol, NODE_ADDRESS, port);
          need(beside, 'the pod’s answer to another pod', () => 'none');
          await needShut(trial, protocol, port);
          await trial.del(pod);
          need(await silent(trial.outside, protocol, NODE_ADDRESS, port), 'no answer after DEL', () => 'one');
        },
      }),
    ),
    {
      id: 'traffic.hairpin',
      about: 'a pod reaches itself by the node’s port',
      async run(trial) {
        trial.extra = mapping({});
        const pod = await trial.pod();
        // With br_netfilter the packet leaves by the port that it came from: the bridge must be told to allow that.
        if (trial.o.beneath?.type === 'bridge') await trial.beneath(pod, { hairpinMode: true });
        await trial.add(pod);
        using _ = await serve(pod.netns, 'tcp');
        const seen = await answered(pod.netns, 'tcp', NODE_ADDRESS, 8000 + pod.n);
        need(seen, 'the pod’s answer to itself', () => 'none');
      },
    },
    {
      id: 'traffic.mappings',
      about: 'of several mappings of one pod each leads to its own port',
      async run(trial) {
        const pod = await trial.pod();
        const ports = [8000 + pod.n, 9000 + pod.n];
        const portMappings = ports.map((hostPort, i) => ({ hostPort, containerPort: 80 + i, protocol: 'tcp' }));
        trial.extra = { runtimeConfig: { portMappings } };
        await trial.add(pod);
        for (const [i, port] of ports.entries()) {
          const closed = await silent(trial.outside, 'tcp', NODE_ADDRESS, port);
          need(closed, `no answer by port ${port} while nothing listens`, () => 'one');
          using _ = await serve(pod.netns, 'tcp', 80 + i);
          need(await answered(trial.outside, 'tcp', NODE_ADDRESS, port), `an answer by port ${port}`, () => 'none');
        }
      },
    },
    {
      id: 'traffic.both-families',
      about: 'a pod with addresses of both families is reached by both; after DEL by none',
      async run(trial) {
        trial.extra = mapping({});
        const pod = await trial.pod();
        if (trial.o.beneath?.ipam !== 'host-local')
          throw new NotHere(`${trial.o.beneath?.type ?? 'nothing'}, which goes before, takes no ranges`);
        const ranges = [[{ subnet: '10.22.0.0/24' }], [{ subnet: 'fd00:22::/64' }]];
        const routes = [{ dst: '0.0.0.0/0' }, { dst: '::/0' }];
        await trial.beneath(pod, { ipam: { type: 'host-local', dataDir: join(trial.dir, 'ipam'), ranges, routes } });
        await trial.add(pod);
        using _ = await serve(pod.netns, 'tcp');
        const port = 8000 + pod.n;
        for (const [address, asker] of BOTH) {
          const seen = await seenAs(trial.outside, 'tcp', address, port);
          need(seen === asker, `an answer at ${address} to ${asker}`, () => seen || 'none');
        }
        succeeded(await trial.call('DEL', pod));
        for (const [address] of BOTH)
          need(await silent(trial.outside, 'tcp', address, port), `none at ${address} after DEL`, () => 'one');
      },
    },
    {
      id: 'traffic.localhost',
      about: 'the node reaches the pod by 127.0.0.1 and the port',
      async run(trial) {
        trial.extra = mapping({});
        const pod = await trial.added();
        using _ = await serve(pod.netns, 'tcp');
        const seen = await answered(trial.node, 'tcp', '127.0.0.1', 8000 + pod.n);
        need(seen, 'the pod’s answer to the node', () => 'none');
      },
    },
    {
      id: 'traffic.hostIP',
      about: 'a mapping with hostIP answers at that address only',
      async run(trial) {
        await must(trial.node, ['ip', 'addr', 'add', '198.51.100.9/24', 'dev', 'up0']);
        trial.extra = mapping({ hostIP: '198.51.100.9' });
        const pod = await trial.added();
        using _ = await serve(pod.netns, 'tcp');
        const port = 8000 + pod.n;
        const seen = await answered(trial.outside, 'tcp', '198.51.100.9', port);
        need(seen, 'an answer at 198.51.100.9', () => 'none');
        need(await silent(trial.outside, 'tcp', NODE_ADDRESS, port), `none at ${NODE_ADDRESS}`, () => 'one');
      },
    },
    {
      id: 'traffic.conditions',
      about: 'conditionsV4 bound who may use the mapping',
      async run(trial) {
        for (const matches of [true, false]) {
          const source = ['-s', `${OUTSIDE_ADDRESS}/32`];
          trial.extra = { ...mapping({}), conditionsV4: matches ? source : ['!', ...source] };
          const pod = await trial.added();
          using _ = await serve(pod.netns, 'tcp');
          const port = 8000 + pod.n;
          const asked = matches ? answered : silent;
          const wanted = `${matches ? 'an' : 'no'} answer with ${JSON.stringify(trial.extra.conditionsV4)}`;
          need(await asked(trial.outside, 'tcp', NODE_ADDRESS, port), wanted, () => (matches ? 'none' : 'one'));
          await trial.del(pod);
        }
      },
    },
    {
      id: 'input.key-case',
      about: 'runtimeConfig with Go’s field names, as containerd sends it, works',
      async run(trial) {
        trial.extra = {
          runtimeConfig: { portMappings: [{ HostPort: '{port}', ContainerPort: 80, Protocol: 'tcp', HostIP: '' }] },
        };
        const pod = await trial.added();
        using _ = await serve(pod.netns, 'tcp');
        const seen = await answered(trial.outside, 'tcp', NODE_ADDRESS, 8000 + pod.n);
        need(seen, 'the pod’s answer', () => 'none');
      },
    },
  ];
}

const BOTH = [
  [NODE_ADDRESS, OUTSIDE_ADDRESS],
  [NODE_ADDRESS6, OUTSIDE_ADDRESS6],
] as const;

/** Neither the other protocol nor the ports beside it, nor the pod's own number. */
async function needShut(trial: Trial, protocol: Protocol, port: number): Promise<void> {
  const other = protocol === 'tcp' ? 'udp' : 'tcp';
  const ways = [
    [other, port] as const,
    ...[port - 1, port + 1, port + 1000, 80].map((each) => [protocol, each] as const),
  ];
  const shut = await Promise.all(ways.map(([how, where]) => silent(trial.outside, how, NODE_ADDRESS, where)));
  const open = ways.find((_, i) => shut[i] === false);
  need(open === undefined, `no answer by what was not asked for: ${open?.join(' ')}`, () => 'one');
}

function mapping(more: JsonObject): JsonObject {
  return { runtimeConfig: { portMappings: [{ hostPort: '{port}', containerPort: 80, protocol: 'tcp', ...more }] } };
}
