import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askedIfAddrs, askedMac } from '#cni/parts/asked.ts';
import { parseArgs } from '#wire/cni/args.ts';
import { readNetConf } from '#wire/cni/conf.ts';
import { readRequest } from '#wire/cni/request.ts';

interface Asked {
  readonly runtime?: object;
  readonly args?: object;
  readonly env?: string;
}

function callOf({ runtime = {}, args = {}, env = '' }: Asked) {
  const conf = readNetConf({ name: 'n', type: 'x', runtimeConfig: runtime, args: { cni: args } }, 'x');
  const request = readRequest('x', { CNI_COMMAND: 'STATUS', CNI_ARGS: env }, '');
  return [conf, { ...request, args: parseArgs(env) }] as const;
}

test('a hardware address is that of the capability, of args.cni, of CNI_ARGS: the first that says one', () => {
  const mac = (asked: Asked) => askedMac(...callOf(asked));
  const runtime = { mac: '02:00:00:00:00:01' };
  const args = { mac: '02-00-00-00-00-02' };
  const env = 'MAC=0200.0000.0003';
  assert.equal(mac({ runtime, args, env }), '02:00:00:00:00:01');
  assert.equal(mac({ runtime: { mac: '' }, args, env }), '02:00:00:00:00:02');
  assert.equal(mac({ runtime: { mac: '' }, args: { mac: '' }, env }), '02:00:00:00:00:03');
  assert.equal(mac({ runtime: { mac: '' }, env: 'MAC=' }), undefined);
  assert.throws(() => mac({ args: { mac: '03:00:00:00:00:01' } }), /mac must be an Ethernet address of one station/);
});

test('addresses are those of the capability, of args.cni, of CNI_ARGS: the first that names any', () => {
  const ips = (asked: Asked) => askedIfAddrs(...callOf(asked));
  const args = { ips: ['10.0.0.2/24'] };
  const env = 'IP=10.0.0.3,fd00::3/64';
  assert.deepEqual(ips({ runtime: { ips: ['10.0.0.1/24'] }, args, env }), ['10.0.0.1/24']);
  assert.deepEqual(ips({ runtime: { ips: [] }, args, env }), ['10.0.0.2/24']);
  assert.deepEqual(ips({ runtime: { ips: [] }, args: { ips: [] }, env }), ['10.0.0.3/32', 'fd00::3/64']);
  assert.deepEqual(ips({}), []);
});
