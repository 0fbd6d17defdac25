/** What is particular to one type, as traffic: black box, so that it does not matter which tables a plugin uses. */

import { spawn } from 'node:child_process';
import { hostAddress, printed, shown } from '#cni/conformance/answer.ts';
import type { Case, Facts } from '#cni/conformance/case.ts';
import { must, PATH, run } from '#cni/conformance/exec.ts';
import { NotHere, need } from '#cni/conformance/outcome.ts';
import { read } from '#cni/conformance/read.ts';
import { NODE_ADDRESS, OUTSIDE_ADDRESS, type Pod, type Trial } from '#cni/conformance/trial.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import type { JsonObject } from '#wire/cni/json.ts';

export function specialCases(facts: Facts): Case[] {
  switch (facts.subject.type) {
    case 'bridge':
    case 'ptp':
      return [masquerade];
    case 'portmap':
      return portmapCases();
    case 'firewall':
      return [sameBridge, isolated];
    case 'host-device':
      return [deviceReturns];
    case 'host-local':
      return requestCases();
    default:
      return [];
  }
}

const masquerade: Case = {
  id: 'traffic.masquerade',
  about: 'with ipMasq a pod reaches the outside, which has no route back; without it does not',
  needs: ['nft NAT'],
  async run(trial) {
    const plain = await trial.added();
    need(!(await trial.ping(plain.netns, OUTSIDE_ADDRESS)), 'no answer from outside without ipMasq', () => 'an answer');
    await trial.del(plain);
    trial.extra = { ipMasq: true };
    const pod = await trial.added();
    need(await trial.ping(pod.netns, OUTSIDE_ADDRESS), 'an answer from outside with ipMasq', () => 'none');
    await trial.del(pod);
  },
};

function portmapCases(): Case[] {
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

const NO_BRIDGE = 'there is no bridge to go before it';

const sameBridge: Case = {
  id: 'traffic.same-bridge',
  about: 'ingressPolicy same-bridge: pods of one bridge reach one another, pods of two bridges do not',
  async run(trial) {
    const bridge = trial.o.beneath;
    if (bridge?.type !== 'bridge') throw new NotHere(NO_BRIDGE);
    const pods: Pod[] = [];
    trial.extra = { ingressPolicy: 'same-bridge' };
    for (const [name, subnet] of [
      ['cbr0', '10.22.0.0/24'],
      ['cbr0', '10.22.0.0/24'],
      ['cbr1', '10.25.0.0/24'],
    ] as const) {
      pods.push(await onBridge(trial, name, subnet));
    }
    const [a, b, c] = pods;
    if (!a || !b || !c) return;
    need(await trial.ping(a.netns, hostAddress(b.result ?? {})), 'an answer on the same bridge', () => 'none');
    need(!(await trial.ping(a.netns, hostAddress(c.result ?? {}))), 'no answer from another bridge', () => 'one');
  },
};

const isolated: Case = {
  id: 'traffic.isolated',
  about: 'ingressPolicy isolated: pods of one bridge do not reach one another; the node reaches them',
  async run(trial) {
    if (trial.o.beneath?.type !== 'bridge') throw new NotHere(NO_BRIDGE);
    trial.extra = { ingressPolicy: 'isolated' };
    const pods = [await trial.pod(), await trial.pod()];
    for (const pod of pods) {
      const answer = await trial.call('ADD', pod);
      if (answer.exit !== 0 && /ingress ?policy/i.test(answer.stdout)) throw new NotHere('it has no policy "isolated"');
      pod.result = printed(answer);
    }
    const [a, b] = pods;
    if (!a || !b) return;
    const address = hostAddress(b.result ?? {});
    need(await trial.ping(trial.node, address), 'an answer to the node', () => 'none');
    need(!(await trial.ping(a.netns, address)), 'no answer to a pod of the same bridge', () => 'one');
  },
};

/** A pod on a bridge of this name, by the plugins of the chain. */
async function onBridge(trial: Trial, name: string, subnet: string): Promise<Pod> {
  const pod = await trial.pod();
  const ipam = {
    type: 'host-local',
    dataDir: `${trial.dir}/ipam-${name}`,
    ranges: [[{ subnet }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  await trial.beneath(pod, { bridge: name, ipam });
  await trial.add(pod);
  return pod;
}

const deviceReturns: Case = {
  id: 'del.device-returns',
  about: 'after DEL the device is on the node again, under its own name, without an alias',
  async run(trial) {
    const pod = await trial.added();
    need(!(await trial.links(trial.node)).includes('hd1'), 'the device to have left the node', () => 'it has not');
    await trial.del(pod);
    const row = (await read(trial.node, 'addr')).find((link) => link.ifname === 'hd1');
    need(row !== undefined, 'hd1 on the node', () => 'no such interface');
    need(row.ifalias === undefined, 'no alias, as before', () => `ifalias ${String(row.ifalias)}`);
  },
};

/** The ways to ask for an address (CNI conventions). */
function requestCases(): Case[] {
  const wanted = '10.22.0.77';
  const ways: Record<string, Parameters<Trial['add']>[1]> = {
    'CNI_ARGS-IP': { env: { CNI_ARGS: `IP=${wanted}` } },
    'args.cni.ips': { conf: { args: { cni: { ips: [wanted] } } } },
    'runtimeConfig.ips': { conf: { runtimeConfig: { ips: [wanted] } } },
  };
  const asked = Object.entries(ways).map(
    ([name, options]): Case => ({
      id: `ipam.request-${name}`,
      about: `an address asked for by ${name} is given; a second time it is refused`,
      async run(trial) {
        const pod = await trial.added(options);
        need(hostAddress(pod.result ?? {}) === wanted, wanted, () => JSON.stringify(pod.result));
        const answer = await trial.call('ADD', await trial.pod(), options);
        need(answer.exit !== 0, 'a second ADD for it to fail', () => shown(answer));
      },
    }),
  );
  return [
    ...asked,
    {
      id: 'ipam.not-in-range',
      about: 'an address outside the range is refused, and none is given',
      async run(trial) {
        const before = await trial.state();
        const answer = await trial.call('ADD', await trial.pod(), { env: { CNI_ARGS: 'IP=192.0.2.1' } });
        need(answer.exit !== 0, 'ADD to fail', () => shown(answer));
        const left = await trial.changed(before);
        need(left.length === 0, 'nothing to be left', () => left.join('\n'));
      },
    },
  ];
}
