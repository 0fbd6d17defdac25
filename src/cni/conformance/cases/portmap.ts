/** `portmap`: who reaches a mapped port, and who does not. */

import { spawn } from 'node:child_process';
import type { Case } from '#cni/conformance/case.ts';
import { must, PATH, run } from '#cni/conformance/exec.ts';
import { need } from '#cni/conformance/outcome.ts';
import { NODE_ADDRESS, OUTSIDE_ADDRESS } from '#cni/conformance/trial.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
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
          const pod = await trial.added();
          const port = 8000 + pod.n;
          using _ = await serve(pod.netns, protocol);
          need(
            (await ask(trial.outside, protocol, NODE_ADDRESS, port)) === 'hello',
            'the pod’s answer to the outside',
            () => 'none',
          );
          await trial.del(pod);
          need((await askOnce(trial.outside, protocol, NODE_ADDRESS, port)) === '', 'no answer after DEL', () => 'one');
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
        const seen = await ask(pod.netns, 'tcp', NODE_ADDRESS, 8000 + pod.n);
        need(seen === 'hello', 'the pod’s answer to itself', () => 'none');
      },
    },
    {
      id: 'traffic.localhost',
      about: 'the node reaches the pod by 127.0.0.1 and the port',
      async run(trial) {
        trial.extra = mapping({});
        const pod = await trial.added();
        using _ = await serve(pod.netns, 'tcp');
        const seen = await ask(trial.node, 'tcp', '127.0.0.1', 8000 + pod.n);
        need(seen === 'hello', 'the pod’s answer to the node', () => 'none');
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
        need(
          (await ask(trial.outside, 'tcp', '198.51.100.9', port)) === 'hello',
          'an answer at 198.51.100.9',
          () => 'none',
        );
        need((await askOnce(trial.outside, 'tcp', NODE_ADDRESS, port)) === '', `none at ${NODE_ADDRESS}`, () => 'one');
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
          const asked = matches ? ask : askOnce;
          const answered = (await asked(trial.outside, 'tcp', NODE_ADDRESS, port)) === 'hello';
          const wanted = `${matches ? 'an' : 'no'} answer with ${JSON.stringify(trial.extra.conditionsV4)}`;
          need(answered === matches, wanted, () => (answered ? 'one' : 'none'));
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
        const seen = await ask(trial.outside, 'tcp', NODE_ADDRESS, 8000 + pod.n);
        need(seen === 'hello', 'the pod’s answer', () => 'none');
      },
    },
  ];
}

function mapping(more: JsonObject): JsonObject {
  return { runtimeConfig: { portMappings: [{ hostPort: '{port}', containerPort: 80, protocol: 'tcp', ...more }] } };
}

/** Answers `hello` at port 80 until disposed. */
async function serve(netns: Netns, protocol: 'tcp' | 'udp'): Promise<Disposable> {
  const listen = protocol === 'tcp' ? 'TCP-LISTEN:80,fork,reuseaddr' : 'UDP-RECVFROM:80,fork';
  const child = inNetns(netns, () =>
    spawn('socat', [listen, 'SYSTEM:printf hello'], { env: { PATH }, stdio: 'ignore' }),
  );
  child.on('error', () => {});
  const flag = protocol === 'tcp' ? '-tln' : '-uln';
  for (let i = 0; i < 50; i++) {
    if ((await run(netns, 'ss', [flag])).stdout.includes(':80')) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

const TRIES = 4;

/** What the other end says; a busy machine is asked again. */
async function ask(netns: Netns, protocol: 'tcp' | 'udp', address: string, port: number): Promise<string> {
  for (let i = 0; i < TRIES; i++) {
    const said = await askOnce(netns, protocol, address, port);
    if (said !== '') return said;
  }
  return '';
}

/** Empty if nothing within a second. */
async function askOnce(netns: Netns, protocol: 'tcp' | 'udp', address: string, port: number): Promise<string> {
  const to = `${protocol.toUpperCase()}:${address}:${port}${protocol === 'tcp' ? ',connect-timeout=1' : ''}`;
  const flags = protocol === 'tcp' ? ['-t2'] : ['-t1', '-T1'];
  return (await run(netns, 'socat', [...flags, '-', to], { stdin: 'x', timeoutMs: 3_000 })).stdout;
}
