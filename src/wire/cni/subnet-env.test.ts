import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePrefix } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { parseSubnetEnv, printSubnetEnv } from '#wire/cni/subnet-env.ts';

const TEXT = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_IPV6_NETWORK=fd00:10::/48
FLANNEL_IPV6_SUBNET=fd00:10:0:1::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`;

test('parseSubnetEnv reads what flanneld writes, and printSubnetEnv writes the same', () => {
  const env = parseSubnetEnv(TEXT, 'subnet.env');
  assert.deepEqual(env, {
    networks: [parsePrefix('10.244.0.0/16'), parsePrefix('fd00:10::/48')],
    subnets: [parsePrefix('10.244.1.0/24'), parsePrefix('fd00:10:0:1::/64')],
    mtu: 1450,
    masquerade: true,
  });
  assert.equal(printSubnetEnv(env), TEXT);
});

test('parseSubnetEnv says which key is missing or wrong', () => {
  const fails = (text: string, message: RegExp) =>
    assert.throws(() => parseSubnetEnv(text, 'subnet.env'), { code: 'file-invalid', message });
  fails('', /FLANNEL_MTU is missing/);
  fails(TEXT.replace(/FLANNEL_MTU=.*/, 'FLANNEL_MTU=large'), /FLANNEL_MTU is no number/);
  fails(TEXT.replace('FLANNEL_IPMASQ', 'X'), /FLANNEL_IPMASQ is missing/);
  fails(TEXT.replace('10.244.1.1/24', '10.244.1/24'), /FLANNEL_SUBNET holds no network/);
});

test('parseSubnetEnv reads any text or refuses it in the registry’s words', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(...TEXT.split('\n')),
    fc.string().map((s) => `FLANNEL_SUBNET=${s}`),
  );
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      try {
        parseSubnetEnv(lines.join('\n'), 'f');
      } catch (error) {
        assert.ok(error instanceof PolderError && error.code === 'file-invalid');
      }
    }),
  );
});
