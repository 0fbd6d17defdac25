/** Checks of a lab's specification that need nothing but the specification. */

import { checkName } from '#lab/names.ts';
import { type LabSpec, SERVICE_CIDR, underlaySubnet } from '#lab/spec.ts';
import { lengthOf, overlaps, prefixFamily } from '#net/prefix.ts';
import { PROFILES } from '#spec/cluster.ts';
import { PolderError } from '#spec/errors.ts';

/** Length of a node's network. */
const NODE_CIDR_LENGTH = 24;

/** @throws PolderError that says what is wrong; nothing has been changed by then. */
export function checkSpec(spec: LabSpec): void {
  checkNames(spec);
  checkClusterCidr(spec);
  checkNodeCidrs(spec);
  checkSubnets(spec);
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
  const cidr = spec.clusterCidr;
  if (prefixFamily(cidr) !== 4) {
    throw new PolderError('cidr-invalid', { what: `The cluster's network ${cidr} is not IPv4.` });
  }
  if (overlaps(cidr, SERVICE_CIDR)) {
    throw new PolderError('cidr-invalid', {
      what: `The cluster's network ${cidr} overlaps ${SERVICE_CIDR}, which Services' addresses come from.`,
    });
  }
  for (let subnet = 1; subnet <= spec.subnets; subnet++) {
    if (!overlaps(cidr, underlaySubnet(subnet))) continue;
    throw new PolderError('cidr-invalid', {
      what: `The cluster's network ${cidr} overlaps ${underlaySubnet(subnet)}, which the nodes' own addresses come from.`,
    });
  }
}

/** Node networks are numbered from 1, as the seeds of the field show them: node1 has 10.244.1.0/24. */
function checkNodeCidrs(spec: LabSpec): void {
  const length = lengthOf(spec.clusterCidr);
  const room = length > NODE_CIDR_LENGTH ? 0 : 2 ** (NODE_CIDR_LENGTH - length);
  if (spec.nodes.length <= room) return;
  throw new PolderError('cidr-invalid', {
    what: `The cluster's network ${spec.clusterCidr} has room for ${room} nodes of /${NODE_CIDR_LENGTH} each, not for ${spec.nodes.length}.`,
  });
}

function checkSubnets(spec: LabSpec): void {
  const used = new Set(spec.nodes.map((node) => node.subnet));
  const { pool, distribution } = PROFILES[spec.profile];
  const carried = pool.vxlan !== 'never' || pool.ipip !== 'never' || distribution === 'bird';
  if (carried || used.size <= 1) return;
  throw new PolderError('usage', {
    what: `Profile ${spec.profile} routes by node addresses, so that all nodes must stand in one subnet; here are ${used.size}.`,
  });
}
