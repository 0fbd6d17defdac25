/** What `kubectl get nodes` prints. */
import { AGE, column, NAME, orNone } from '#spec/kinds/columns/common.ts';
import { at, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import type { Column, KubeObject } from '#spec/kinds/kind.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';

export const NODE_COLUMNS: readonly Column[] = [
  NAME,
  column('Status', 'The Ready condition, and whether pods may be scheduled.', statusCell),
  column('Roles', 'Roles that the labels of the node say.', rolesCell),
  AGE,
  column('Version', 'Version of the kubelet.', (node) => textAt(node, 'status', 'nodeInfo', 'kubeletVersion')),
  column('Internal-IP', 'Address inside the cluster.', (node) => addressCell(node, 'InternalIP'), { wide: true }),
  column('External-IP', 'Address outside of it.', (node) => addressCell(node, 'ExternalIP'), { wide: true }),
  column('OS-Image', 'Operating system.', (node) => infoCell(node, 'osImage'), { wide: true }),
  column('Kernel-Version', 'Kernel.', (node) => infoCell(node, 'kernelVersion'), { wide: true }),
  column('Container-Runtime', 'What runs the containers.', (node) => infoCell(node, 'containerRuntimeVersion'), {
    wide: true,
  }),
];

function statusCell(node: KubeObject): string {
  const ready = objectsAt(node, 'status', 'conditions').find((one) => one.type === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return at(node, 'spec', 'unschedulable') === true ? `${word},SchedulingDisabled` : word;
}

function rolesCell(node: KubeObject): string {
  const roles: string[] = [];
  for (const [key, value] of Object.entries(objectAt(node, 'metadata', 'labels'))) {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length) roles.push(key.slice(ROLE_PREFIX.length));
    else if (key === 'kubernetes.io/role' && typeof value === 'string' && value !== '') roles.push(value);
  }
  return orNone(roles.sort().join(','));
}

function addressCell(node: KubeObject, type: string): string {
  const found = objectsAt(node, 'status', 'addresses').find((one) => one.type === type);
  return orNone(textAt(found, 'address'));
}

function infoCell(node: KubeObject, key: string): string {
  return textAt(node, 'status', 'nodeInfo', key) || '<unknown>';
}
