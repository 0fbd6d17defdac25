/** Chains of plugins, ours and the reference ones, in several orders, through the shim and the server as a runtime calls them. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { answerOf, type Bed, bed, noBed, pathOf, ROUTED } from '#cni/testing/bed.ts';
import { makeNeighbour, sh } from '#cni/testing/chain-bed.ts';
import { answer, answered, ask, noSocat, silent } from '#cni/testing/echo.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noBed() || noSocat;
const REFERENCE = '/usr/lib/cni';
const noReference = skip || (existsSync(join(REFERENCE, 'portmap')) ? false : 'no reference plugins');

/** A plugin of a chain; `theirs`: the reference one. */
interface Step {
  readonly conf: { readonly type: string };
  readonly theirs?: boolean;
}

type Json = Record<string, unknown>;

const MAC = 'c2:b0:57:49:47:f1';
const PORTS = { runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] } };
const RATES = {
  runtimeConfig: {
    bandwidth: { IngressRate: 10 ** 9, IngressBurst: 10 ** 8, EgressRate: 10 ** 9, EgressBurst: 10 ** 8 },
  },
};
const POLDER: Step = { conf: { type: 'polder' } };
const portmap: Step = { conf: { type: 'portmap', ...PORTS } };
const bandwidth: Step = { conf: { type: 'bandwidth', ...RATES } };
const firewall: Step = { conf: { type: 'firewall' } };
const sbr: Step = { conf: { type: 'sbr' } };
const theirs = (step: Step): Step => ({ ...step, theirs: true });

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'pt-chain-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const tuning = (dataDir: string): Step => ({
  conf: { type: 'tuning', dataDir, mac: MAC, mtu: 1400 } as { type: string },
});

const bridge = (dataDir: string): Step => ({
  conf: {
    type: 'bridge',
    bridge: 'cni0',
    isDefaultGateway: true,
    hairpinMode: true,
    ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: '10.9.0.0/24' }]] },
  } as { type: string },
});

class Chain {
  readonly #bed: Bed;
  readonly #steps: readonly Step[];
  readonly #env: Record<string, string>;
  result: Json | undefined;

  constructor(b: Bed, steps: readonly Step[], pod: Netns) {
    this.#bed = b;
    this.#steps = steps;
    this.#env = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0', CNI_PATH: REFERENCE };
  }

  async add(): Promise<void> {
    this.result = undefined;
    for (const step of this.#steps) this.result = await this.#call('ADD', step, this.result);
  }

  async check(): Promise<void> {
    for (const step of this.#steps) await this.#call('CHECK', step, this.result);
  }

  /** @param forgetful as a runtime's second DEL: without namespace and result */
  async del(forgetful = false): Promise<void> {
    const more = forgetful ? { CNI_NETNS: '' } : {};
    for (const step of this.#steps.toReversed()) {
      await this.#call('DEL', step, forgetful ? undefined : this.result, more);
    }
  }

  async #call(
    command: string,
    step: Step,
    prevResult: Json | undefined,
    more: Record<string, string> = {},
  ): Promise<Json> {
    const conf = { cniVersion: '1.0.0', name: 'net', ...step.conf, ...(prevResult && { prevResult }) };
    const env = { ...this.#env, CNI_COMMAND: command, ...more, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
    const said = step.theirs
      ? await answerOf(spawn(join(REFERENCE, step.conf.type), [], { env }), conf)
      : await this.#bed.cni(command, env, conf);
    assert.equal(said.exit, 0, `${command} ${step.conf.type}: ${said.stdout}`);
    return said.json ?? {};
  }
}

async function node(t: TestContext) {
  const b = await bed(t, ROUTED, { coolDownMs: 0 });
  t.after(() => spawnSync('nft', ['flush', 'ruleset']));
  const pod = scratchNetns();
  t.after(() => pod.close());
  sh('ip link set lo up', pod);
  const far = makeNeighbour(t);
  sh('sysctl -qw net.ipv4.ip_forward=1');
  await answer(t, pod, 'TCP-LISTEN:80', 'web');
  return { b, pod, far };
}

/** All that pods leave in the node when they go wrong. */
function left(): string {
  const elements =
    spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }).stdout.match(/elements = \{[^}]*\}/g) ?? [];
  const links = sh('ip -br link')
    .split('\n')
    .map((line) => line.split(/[\s@]/)[0] ?? '');
  return [...elements, ...links.filter((name) => !['lo', 'up0', 'cni0'].includes(name))].join('\n');
}

const ORDERS: Record<string, (dir: string) => Step[]> = {
  'polder, tuning, portmap, bandwidth, firewall': (dir) => [POLDER, tuning(dir), portmap, bandwidth, firewall],
  'polder, firewall, bandwidth, portmap, tuning': (dir) => [POLDER, firewall, bandwidth, portmap, tuning(dir)],
  'polder, portmap, sbr': () => [POLDER, portmap, sbr],
  'bridge, tuning, firewall, portmap, bandwidth': (dir) => [bridge(dir), tuning(dir), firewall, portmap, bandwidth],
};

for (const [order, steps] of Object.entries(ORDERS)) {
  test(`${order}: works, is checked, and leaves nothing`, { skip }, async (t) => {
    const { b, pod, far } = await node(t);
    const chain = new Chain(b, steps(folder(t)), pod);
    await chain.add();
    assert.equal(ask(far, 'TCP:192.168.77.1:8080'), 'web 192.168.77.2');
    answered(undefined, 'TCP:127.0.0.1:8080', 'web');
    // The plugin before finds its routes missing in the main table: there sbr took them from.
    if (!order.endsWith('sbr')) await chain.check();
    await chain.del();
    silent(far, 'TCP:192.168.77.1:8080');
    await chain.del(true);
    assert.equal(left(), '');
  });
}

const noIptables = spawnSync('iptables', ['-V']).status === 0 ? false : 'needs iptables';

const MIXED: Record<string, (dir: string) => Step[]> = {
  'reference bridge, then ours': (dir) => [theirs(bridge(dir)), tuning(dir), firewall, portmap, bandwidth],
  'ours and theirs by turns': (dir) => [theirs(bridge(dir)), portmap, theirs(tuning(dir)), bandwidth, theirs(sbr)],
  'our bridge, then reference tuning and bandwidth': (dir) => [
    bridge(dir),
    theirs(tuning(dir)),
    theirs(bandwidth),
    portmap,
  ],
  ...(noIptables
    ? {}
    : {
        'our bridge, then theirs, which use iptables': (dir) => [
          bridge(dir),
          theirs(firewall),
          theirs(portmap),
          bandwidth,
        ],
        'reference firewall between ours': (dir) => [bridge(dir), portmap, theirs(firewall), tuning(dir)],
      }),
};

for (const [order, steps] of Object.entries(MIXED)) {
  test(`${order}: works and leaves nothing`, { skip: noReference }, async (t) => {
    const { b, pod, far } = await node(t);
    const chain = new Chain(b, steps(folder(t)), pod);
    await chain.add();
    answered(far, 'TCP:192.168.77.1:8080', 'web');
    await chain.del();
    silent(far, 'TCP:192.168.77.1:8080');
    assert.equal(left(), '');
  });
}

test('portmap gives the reference plugin’s result, and who asks sees no difference', {
  skip: noReference || noIptables,
}, async (t) => {
  const { b, pod, far } = await node(t);
  const seen: unknown[] = [];
  for (const step of [portmap, theirs(portmap)]) {
    const chain = new Chain(b, [bridge(folder(t)), step], pod);
    await chain.add();
    const { ips, routes, dns } = chain.result ?? {};
    const asked = [
      [far, '192.168.77.1'],
      [undefined, '192.168.77.1'],
      [undefined, '127.0.0.1'],
      [pod, '192.168.77.1'],
    ] as const;
    seen.push({ ips, routes, dns, answers: asked.map(([from, to]) => ask(from, `TCP:${to}:8080`)) });
    await chain.del();
    silent(far, 'TCP:192.168.77.1:8080');
  }
  assert.deepEqual(seen[0], seen[1]);
});
