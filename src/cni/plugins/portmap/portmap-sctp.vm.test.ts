/** portmap with SCTP, on a kernel that has it. */

import { test } from 'node:test';
import { portmap } from '#cni/plugins/portmap/portmap.ts';
import { chainBed, makeBridge, makeNeighbour, makePod } from '#cni/testing/chain-bed.ts';
import { answer, answered, noSctp, silent } from '#cni/testing/echo.ts';

/** Starting a program takes long in an emulated machine. */
const PATIENCE_S = 5;

const mapped = (prevResult: unknown) => ({
  cniVersion: '1.0.0',
  name: 'net',
  type: 'portmap',
  runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'SCTP' }] },
  prevResult,
});

test('a port of SCTP is reached from another machine, from the node, from 127.0.0.1 and from the pod itself', {
  skip: noSctp(),
}, async (t) => {
  const b = chainBed(t);
  makeBridge();
  const far = makeNeighbour(t);
  const pod = makePod(t, 2);
  const conf = mapped(pod.prevResult);
  await b.ok('ADD', portmap, conf, pod.env);
  await answer(t, pod.netns, 'SCTP4-LISTEN:80', 'four');
  await answer(t, pod.netns, 'SCTP6-LISTEN:80,ipv6only', 'six');
  const asked = [
    [far, 'SCTP4:192.168.77.1:8080', 'four 192.168.77.2'],
    [far, 'SCTP6:[fd77::1]:8080', 'six'],
    [undefined, 'SCTP4:192.168.77.1:8080', 'four'],
    [undefined, 'SCTP4:127.0.0.1:8080', 'four'],
    [pod.netns, 'SCTP4:192.168.77.1:8080', 'four'],
  ] as const;
  for (const [from, to, by] of asked) answered(from, to, by, PATIENCE_S);
  silent(far, 'TCP4:192.168.77.1:8080');
  await b.ok('CHECK', portmap, conf, pod.env);
  await b.ok('DEL', portmap, conf, pod.env);
  silent(far, 'SCTP4:192.168.77.1:8080');
});
