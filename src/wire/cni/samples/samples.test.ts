/** Every sample of what callers send is read as what its caller meant. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type NetConf, parseNetConf, peekVersion } from '#wire/cni/conf.ts';
import { decodeCall, encodeCall } from '#wire/cni/frame.ts';
import { isObject, lookup, optList, optObject, optStrings, optUint } from '#wire/cni/json.ts';
import { type CniRequest, readRequest } from '#wire/cni/request.ts';
import { isSpecVersion, versionReply } from '#wire/cni/version.ts';

interface Sample {
  readonly caller: string;
  readonly argv0: string;
  readonly env: Record<string, string>;
  readonly stdin: object;
}

const NAMES = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.json'));

function sample(name: string): Sample {
  return JSON.parse(readFileSync(join(import.meta.dirname, name), 'utf8'));
}

/** The whole way from the shim: through the frame, then as the server reads it. */
function read(name: string): { readonly request: CniRequest; readonly conf: NetConf } {
  const { argv0, env, stdin } = sample(name);
  const call = decodeCall(encodeCall({ argv0, env, stdin: JSON.stringify(stdin) }));
  const request = readRequest(call.argv0, call.env, call.stdin);
  return { request, conf: parseNetConf(request.stdin, request.plugin) };
}

const CALLS = NAMES.filter((name) => sample(name).env.CNI_COMMAND !== 'VERSION');
const ofPod = (name: string) => name.startsWith('containerd') && !/status|loopback/.test(name);

describe('samples of callers', () => {
  for (const name of CALLS) {
    test(`${name} is read`, () => {
      const { request, conf } = read(name);
      assert.equal(request.plugin, conf.type);
      assert.equal(request.netns === '', /again|status/.test(name));
      assert.equal(conf.prevResult !== undefined, /-del\.json$/.test(name));
      assert.ok(isSpecVersion(conf.cniVersion));
    });
  }

  for (const name of CALLS.filter(ofPod)) {
    test(`${name} says all of the pod, whatever the case of its keys and the order of CNI_ARGS`, () => {
      const { request, conf } = read(name);
      assert.equal(request.args.get('K8S_POD_NAMESPACE'), 'shop');
      assert.equal(request.args.get('K8S_POD_NAME'), 'web-0');
      assert.equal(request.args.get('K8S_POD_INFRA_CONTAINER_ID'), request.containerId);
      const dns = optObject(conf.runtimeConfig, 'dns', '');
      assert.deepEqual(dns && optStrings(dns, 'servers', ''), ['10.96.0.10']);
      const bandwidth = optObject(conf.runtimeConfig, 'bandwidth', '');
      assert.equal(bandwidth && optUint(bandwidth, 'ingressRate', ''), 10_000_000);
      assert.equal(bandwidth && optUint(bandwidth, 'egressBurst', ''), 2 ** 32 - 1);
      const annotations = lookup(conf.runtimeConfig, 'io.kubernetes.cri.pod-annotations');
      assert.equal(isObject(annotations) && annotations['example.com/team'], 'blue');
      assert.equal(lookup(conf.runtimeConfig, 'cgroupPath') !== undefined, name.includes('-2.'));
    });
  }

  for (const name of CALLS.filter((call) => ofPod(call) || call.startsWith('podman'))) {
    test(`${name} maps the two ports`, () => {
      const { conf } = read(name);
      const ports = optList(conf.runtimeConfig, 'portMappings', '', (item) => [
        optUint(item, 'hostPort', ''),
        optUint(item, 'containerPort', ''),
        lookup(item, 'protocol'),
      ]);
      assert.deepEqual(ports, [
        [8080, 80, 'tcp'],
        [8053, 53, 'udp'],
      ]);
    });
  }

  test('podman’s static addresses stand in CNI_ARGS', () => {
    const { request } = read('podman-4.3-add.json');
    assert.equal(request.args.get('IP'), '10.244.1.77');
    assert.equal(request.args.get('MAC'), '0a:58:0a:f4:01:4d');
  });

  test('VERSION is answered though the rest of its environment is nonsense', () => {
    const { argv0, env, stdin } = sample('podman-4.3-version.json');
    const request = readRequest(argv0, env, JSON.stringify(stdin));
    assert.equal(request.command, 'VERSION');
    assert.equal(versionReply(peekVersion(request.stdin)).cniVersion, '1.0.0');
  });
});
