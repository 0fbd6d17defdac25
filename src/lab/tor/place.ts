/** Puts the routers where they stand: namespaces, wires and files. What is there already is mended. */

import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { writeSysctl } from '#kernel/sysctl.ts';
import { nodeNetns } from '#lab/names.ts';
import type { LabSpec } from '#lab/spec.ts';
import { asNode, hostAddr, hostName, lanAddr, type Router, routersOf } from '#lab/tor/routers.ts';
import type { RouterSetup } from '#lab/tor/setup.ts';
import { speakersOf } from '#lab/tor/setups.ts';
import { addrReplace, defaultVia, ensureNetns, ensureNode, must } from '#lab/underlay.ts';
import type { Family } from '#net/addr.ts';
import { ifAddr, lengthOf, prefixFamily } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';

const FORWARDING: Readonly<Record<Family, string>> = { 4: 'net.ipv4.ip_forward', 6: 'net.ipv6.conf.all.forwarding' };
/** The router's end of the wire to the host behind it. */
const LAN = 'lan';

/** @throws PolderError 'program-missing' that names the package. */
export function checkRouters(spec: LabSpec): void {
  for (const { setup } of speakersOf(spec)) {
    for (const [program, name] of Object.entries(setup.needs)) {
      if (spawnSync('sh', ['-c', 'command -v "$1"', '--', program]).status === 0) continue;
      throw new PolderError('program-missing', { needs: '--tor', program, package: name });
    }
  }
}

export function ensureRouters(spec: LabSpec, underlay: Netns): void {
  for (const router of routersOf(spec)) {
    using netns = ensureNode(spec, asNode(router), underlay);
    using host = ensureNetns(nodeNetns(spec.name, hostName(router)));
    for (const network of router.networks) writeSysctl(FORWARDING[prefixFamily(network)], '1', netns);
    wire(spec, router, netns, host);
  }
  for (const { dir, setup } of speakersOf(spec)) writeFiles(dir, setup);
}

function wire(spec: LabSpec, { networks }: Router, netns: Netns, host: Netns): void {
  using inside = openNetlink(netns.fd);
  using behind = openNetlink(host.fd);
  if (inside.link(LAN) === undefined || behind.link('eth0') === undefined) {
    if (inside.link(LAN) !== undefined) must(inside, [{ op: 'link.del', name: LAN }]);
    const peer = { name: 'eth0', mtu: spec.mtu, netns: host.fd };
    must(inside, [{ op: 'link.add', link: { name: LAN, info: { kind: 'veth' }, mtu: spec.mtu, up: true, peer } }]);
  }
  const at = networks.map((network) => ({ network, length: lengthOf(network), gateway: lanAddr(network) }));
  must(
    inside,
    at.map(({ gateway, length }) => addrReplace(LAN, ifAddr(gateway, length))),
  );
  must(behind, [
    { op: 'link.set', name: 'eth0', change: { up: true } },
    ...at.flatMap(({ network, length, gateway }) => [
      addrReplace('eth0', ifAddr(hostAddr(network), length)),
      defaultVia(gateway),
    ]),
  ]);
}

/** Whole at every instant: a program may start at any. */
function writeFiles(dir: string, { files, user }: RouterSetup): void {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  for (const [name, text] of Object.entries(files)) {
    const file = `${dir}/${name}`;
    writeFileSync(`${file}.new`, text, { mode: 0o644 });
    renameSync(`${file}.new`, file);
  }
  if (user !== undefined) chownSync(dir, ...idsOf(user));
}

/** User and group, passwd(5). */
function idsOf(user: string): [number, number] {
  const row = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`${user}:`));
  const [, , uid, gid] = row?.split(':') ?? [];
  if (uid === undefined || gid === undefined) {
    throw new PolderError('program-missing', { needs: '--tor', program: `user ${user}`, package: user });
  }
  return [Number(uid), Number(gid)];
}
