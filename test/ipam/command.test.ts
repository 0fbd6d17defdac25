/** `polder ipam` as it is typed, against the real API server and nodes that really took the addresses. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { addrArgument } from '#cli/ipam/options.ts';
import { polderCommand } from '#cli/program.ts';
import type { Terminal } from '#cli/terminal.ts';
import { memoryTerminal } from '#cli/testing/memory-terminal.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import { addrAt, blockName, readBlock, writeBlock } from '#spec/block.ts';
import { IPAM_BLOCKS } from '#spec/calico.ts';
import { PolderError } from '#spec/errors.ts';
import { NAMESPACES, NODES, PODS } from '#spec/k8s.ts';
import { Bed, until } from '#test/ipam/bed.ts';

interface Said {
  readonly out: string;
  readonly err: string;
  readonly status: number;
  /** `code: sentence` of what it stopped with. */
  readonly error: string;
}

async function polder(bed: Bed, line: string, over: Partial<Terminal> = {}): Promise<Said> {
  const io = memoryTerminal(over);
  let error = '';
  const argv = [...line.split(' '), '--kubeconfig', bed.kubeconfig];
  await polderCommand(io, '0', [])
    .exitOverride()
    .parseAsync(argv, { from: 'user' })
    .catch((cause: unknown) => {
      if (!(cause instanceof PolderError)) throw cause;
      error = `${cause.code}: ${cause.message}`;
    });
  return { ...io.said, error };
}

/** A pod that runs: the API has it with its address, and the node gave that. */
async function pod(bed: Bed, node: Awaited<ReturnType<Bed['node']>>, name: string): Promise<Addr> {
  await bed.client.create(NAMESPACES, { metadata: { name: 'default' } }).catch(() => {});
  const spec = { nodeName: node.name, containers: [{ name: 'c', image: 'i' }] };
  await bed.client.create(PODS, { metadata: { namespace: 'default', name }, spec });
  const [addr = assert.fail()] = await node.add(`c-${name}`, { namespace: 'default', pod: name });
  const status = { phase: 'Running', podIP: addr, podIPs: [{ ip: addr }] };
  await bed.client.patch(PODS, { namespace: 'default', name }, { status }, { subresource: 'status' });
  await node.addresses.pass();
  return addr;
}

/** The API forgets a pod whose node never hears of it. */
async function vanish(bed: Bed, name: string): Promise<void> {
  await bed.client.delete(PODS, { namespace: 'default', name }, { gracePeriodSeconds: 0 });
}

test('ipam show prints pools, blocks and nodes, and who has an address', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/24', blockSize: 28 });
  const node = await bed.node('node1', { cidr: '10.0.0.16/28' });
  const addr = await pod(bed, node, 'web');
  const shown = await polder(bed, 'ipam show --show-blocks --show-nodes');
  assert.match(
    shown.out,
    /^GROUPING +CIDR +IPS TOTAL +IPS IN USE +IPS FREE\nIP Pool +10\.0\.0\.0\/24 +256 +1 \(0%\) +255 \(100%\)\n/,
  );
  assert.match(
    shown.out,
    /\nBlock +10\.0\.0\.16\/28 +16 +1 \(6%\) +15 \(94%\)\n\nNODE +BLOCKS .*\nnode1 +1 +16 +1 \(6%\)/,
  );
  assert.match(
    (await polder(bed, 'ipam show -o wide')).out,
    /IN STOCK +BLOCKS +NODE +RESERVED +STATE\nIP Pool.* 1 of 16 +enabled/,
  );
  const json = JSON.parse((await polder(bed, 'ipam show -o json')).out);
  assert.deepEqual([json.pools[0].inUse, json.blocks[0].node, json.nodes[0].inUse], [1, 'node1', 1]);
  assert.match((await polder(bed, 'ipam show -o yaml')).out, /^pools:\n {2}- name: pool1\n/);
  const who = (await polder(bed, `ipam show --ip=${addr}`)).out;
  assert.match(who, /^IP 10\.0\.0\.\d+ is in use\n {2}Pool: pool1\n {2}Block: 10\.0\.0\.16\/28\n/);
  assert.match(
    who,
    /\n {2}Node: node1\n {2}Handle: k8s-pod-network\.c-web\n.*\n {2}pod: web\n {2}Pods that have it: default\/web\n$/,
  );
  assert.equal((await polder(bed, 'ipam show --ip=192.0.2.1')).out, 'IP 192.0.2.1 is of no pool\n');
  assert.equal((await polder(bed, 'ipam show --show-borrowed')).out, 'No node has borrowed an address.\n');
});

test('ipam show --show-borrowed prints what a node has of another’s block', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/28', blockSize: 28 });
  await bed.node('node1');
  const guest = await bed.node('node2');
  const addr = await pod(bed, guest, 'far');
  const line = new RegExp(`\\n${addr} +node2 +10\\.0\\.0\\.0/28 +node1 +pod +default/far\\n`);
  assert.match((await polder(bed, 'ipam show --show-borrowed')).out, line);
});

test('without a pool the commands say where addresses come from', async () => {
  await using bed = await Bed.make();
  assert.match(
    (await polder(bed, 'ipam show')).out,
    /^There is no IPPool: pods have addresses of their node’s podCIDR/,
  );
  const check = await polder(bed, 'ipam check');
  assert.match(check.out, /^0 pools, 0 blocks of 0 nodes; .*\nNothing is wrong\.\n$/);
  assert.equal(check.status, 0);
});

test('ipam check ends with status 1 when something is wrong, release takes leaks back by its report, never more', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/24', blockSize: 28 });
  const node = await bed.node('node1');
  const living = await pod(bed, node, 'living');
  const lost = await pod(bed, node, 'lost');
  assert.deepEqual(
    [(await polder(bed, 'ipam check')).status, (await polder(bed, 'ipam check')).out.split('\n')[1]],
    [0, 'Nothing is wrong.'],
  );
  await bed.stop(node);
  await vanish(bed, 'lost');
  const check = await polder(bed, 'ipam check');
  assert.equal(check.status, 1);
  assert.match(
    check.out,
    new RegExp(`leaked +${lost} is given to pod default/lost on node node1, and there is no such pod\\n`),
  );
  assert.match((await polder(bed, 'ipam check -o wide')).out, /PROBLEM +IP +BLOCK +NODE +HANDLE +WHAT\nleaked/);
  const file = join(bed.dir, 'report.json');
  const report = JSON.parse((await polder(bed, 'ipam check -o json')).out);
  // As if the report were old: it calls a living pod's address a leak.
  report.findings.push({ ...report.findings[0], addr: living });
  writeFileSync(file, JSON.stringify(report));
  const done = await polder(bed, `ipam release --from-report=${file} --yes`);
  assert.match(
    done.out,
    new RegExp(
      `\\n${lost} +released +pod default/lost on node node1\\n${living} +not released: in use +pod default/living\\n`,
    ),
  );
  assert.equal(done.status, 1);
  assert.equal((await polder(bed, 'ipam check')).status, 0);
  assert.match((await polder(bed, `ipam release --from-report=${file} -o json`)).out, /"outcome": "nothing"/);
});

test('ipam release asks, refuses a living pod’s address by force too, and what is not leaked without it', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/24', blockSize: 28, vxlanMode: 'Always' });
  const node = await bed.node('node1');
  const living = await pod(bed, node, 'living');
  const lost = await pod(bed, node, 'lost');
  await bed.stop(node);
  await vanish(bed, 'lost');
  for (const flags of ['', ' --force']) {
    const { error } = await polder(bed, `ipam release --ip=${living}${flags}`);
    assert.equal(error, `address-living: Address ${living} is not taken back: pod default/living has it.`);
  }
  const [block = assert.fail()] = await bed.blocks();
  const at = (type: string) =>
    [...block.given].filter(([, { notes }]) => notes.type === type).map(([place]) => addrAt(block.cidr, place));
  const [tunnel = assert.fail()] = at('vxlanTunnelAddress');
  const refused = await polder(bed, `ipam release --ip=${tunnel}`);
  assert.match(refused.error, /^address-not-leaked: .* a tunnel device of node node1 has it/);
  const [stocked] = at('stock');
  assert.match(
    (await polder(bed, `ipam release --ip=${stocked} --force`)).out,
    / released +polder-stock-node1 on node node1\n$/,
  );
  const no = await polder(bed, `ipam release --ip=${lost}`, { canAsk: true, ask: async () => 'n' });
  assert.deepEqual([no.out, (await polder(bed, 'ipam check')).status], ['', 1]);
  let question = '';
  const ask = async (text: string) => {
    question = text;
    return 'y';
  };
  assert.match((await polder(bed, `ipam release --ip=${lost}`, { canAsk: true, ask })).out, / released /);
  assert.equal(question, `Take back ${lost}? [y/N] `);
  assert.match((await polder(bed, `ipam release --ip=${lost}`)).out, / was not given to anybody /);
});

test('what release is given must be an address or a report', async () => {
  await using bed = await Bed.make();
  assert.equal((await polder(bed, 'ipam release')).error, 'usage: Which addresses? Give --ip or --from-report.');
  const file = join(bed.dir, 'no-report.json');
  assert.match(
    (await polder(bed, `ipam release --from-report=${file}`)).error,
    /^file-invalid: .*no-report\.json: ENOENT/,
  );
  writeFileSync(file, '{"a":1}');
  assert.match(
    (await polder(bed, `ipam release --from-report=${file}`)).error,
    /it is no report that `polder ipam check -o json` printed$/,
  );
  assert.throws(() => addrArgument('10.0.0.256'), /It must be an address such as 10\.244\.1\.7/);
});

test('an address that was freed in the API while a pod of a living node has it is written there again by the node', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/24', blockSize: 28 });
  const node = await bed.node('node1');
  const addr = await pod(bed, node, 'web');
  const [known = assert.fail()] = (await bed.client.list(IPAM_BLOCKS)).items;
  const block = readBlock(known) ?? assert.fail();
  const place = [...block.given].find(([, { notes }]) => notes.pod === 'web')?.[0] ?? assert.fail();
  const given = new Map([...block.given].filter(([one]) => one !== place));
  await bed.client.update(IPAM_BLOCKS, writeBlock({ ...block, given, free: [...block.free, place] }, known));
  await until(async () => {
    const now = readBlock(await bed.client.get(IPAM_BLOCKS, { name: blockName(block.cidr) }));
    return now?.given.get(place)?.notes.pod === 'web';
  });
  assert.equal(parseAddr(addr), addr);
});

test('an allocation of a node that is gone is a leak, its block one of nobody', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/24', blockSize: 28 });
  const node = await bed.node('node1');
  await bed.stop(node);
  await bed.client.delete(NODES, { name: 'node1' });
  const { out, status } = await polder(bed, 'ipam check');
  assert.equal(status, 1);
  assert.match(out, /\nleaked +10\.0\.0\.\d+ is given to the stock on node node1, and there is no such node\n/);
  assert.match(out, /\nblock-without-node +Block 10\.0\.0\.\d+\/28 belongs to node node1, and there is no such node\n/);
});
