/** Checks of a lab's specification that need nothing but the specification. */

import { checkName } from '#lab/names.ts';
import { clusterCidrs, type LabSpec, SERVICE_CIDR, underlaySubnet, underlaySubnet6 } from '#lab/spec.ts';
import type { Family } from '#net/addr.ts';
import { lengthOf, overlaps, prefixFamily } from '#net/prefix.ts';
import { PROFILE_NAMES, PROFILES } from '#spec/cluster.ts';
import { PolderError } from '#spec/errors.ts';

/** Lengths of a node's network. */
const NODE_CIDR_LENGTH: Readonly<Record<Family, number>> = { 4: 24, 6: 64 };

/** @throws PolderError that says what is wrong; nothing has been changed by then. */
export function checkSpec(spec: LabSpec): void {
  checkNames(spec);
  checkClusterCidr(spec);
  checkNodeCidrs(spec);
  checkSubnets(spec);
  checkTor(spec);
}

function checkNames(spec: LabSpec): void {
  checkName('lab', spec.name);
  const seen = new Set(['underlay']);
  for (const { name } of spec.nodes) {
    checkName('node', name);
    if (name === 'underlay') {
      throw new PolderError('usage', { what: 'A node cannot be named "underlay": that is the network between them.' });
    }
    if (seen.has(name)) throw new PolderError('usage', { what: `Two nodes are named "${name}".` });
    seen.add(name);
  }
}

function checkClusterCidr(spec: LabSpec): void {
  const own = Array.from({ length: spec.subnets }, (_, i) => [underlaySubnet(i + 1), underlaySubnet6(i + 1)]).flat();
  for (const cidr of clusterCidrs(spec)) {
    if (overlaps(cidr, SERVICE_CIDR)) {
      throw new PolderError('cidr-invalid', {
        what: `The cluster's network ${cidr} overlaps ${SERVICE_CIDR}, which Services' addresses come from.`,
      });
    }
    const taken = own.find((subnet) => overlaps(cidr, subnet));
    if (taken === undefined) continue;
    throw new PolderError('cidr-invalid', {
      what: `The cluster's network ${cidr} overlaps ${taken}, which the nodes' own addresses come from.`,
    });
  }
}

/** Node networks are numbered from 1, as the seeds of the field show them: node1 has 10.244.1.0/24. */
function checkNodeCidrs(spec: LabSpec): void {
  for (const cidr of clusterCidrs(spec)) {
    const node = NODE_CIDR_LENGTH[prefixFamily(cidr)];
    const bits = node - lengthOf(cidr);
    const room = bits < 0 ? 0 : 2 ** Math.min(bits, 16);
    if (bits <= 16 && spec.nodes.length <= room) continue;
    const what =
      bits > 16
        ? `The cluster's network ${cidr} is more than 65536 parts of /${node}: choose a smaller one.`
        : `The cluster's network ${cidr} has room for ${room} nodes of /${node} each, not for ${spec.nodes.length}.`;
    throw new PolderError('cidr-invalid', { what });
  }
}

function checkSubnets(spec: LabSpec): void {
  const used = new Set(spec.nodes.map((node) => node.subnet));
  const { pool, encryption, distribution } = PROFILES[spec.profile];
  const carried = pool.vxlan !== 'never' || pool.ipip !== 'never' || encryption === 'wireguard';
  const told = distribution === 'bird' && spec.tor === true;
  if (carried || told || used.size <= 1) return;
  const or = distribution === 'bird' ? ' With --tor the router between them speaks BGP, too.' : '';
  throw new PolderError('usage', {
    what: `Profile ${spec.profile} routes by node addresses, so that all nodes must stand in one subnet; here are ${used.size}.${or}`,
  });
}

function checkTor({ tor, profile }: LabSpec): void {
  if (tor !== true || PROFILES[profile].distribution === 'bird') return;
  const speakers = PROFILE_NAMES.filter((name) => PROFILES[name].distribution === 'bird');
  throw new PolderError('usage', {
    what: `Top-of-rack routers speak BGP, which profile ${profile} does not: take ${speakers.join(' or ')} for --tor.`,
  });
}
