/** `portmap`: who reaches a mapped port, and who does not. */

import type { Case } from '#cni/conformance/case.ts';
import { answered, serve, silent } from '#cni/conformance/echo.ts';
import { must } from '#cni/conformance/exec.ts';
import { NODE_ADDRESS, OUTSIDE_ADDRESS } from '#cni/conformance/ground.ts';
import { need } from '#cni/conformance/outcome.ts';
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
          using _ = await serve(pod.netns, protocol);
          for (const [who, netns] of [
            ['the outside', trial.outside],
            ['another pod', other.netns],
          ] as const)
            need(await answered(netns, protocol, NODE_ADDRESS, port), `the pod’s answer to ${who}`, () => 'none');
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

function mapping(more: JsonObject): JsonObject {
  return { runtimeConfig: { portMappings: [{ hostPort: '{port}', containerPort: 80, protocol: 'tcp', ...more }] } };
}
