/** What `kubectl get services` prints. */
import { AGE, column, formatLabels, NAME, orNone } from '#spec/kinds/columns/common.ts';
import { at, numberAt, objectsAt, textAt, textsAt } from '#spec/kinds/json.ts';
import type { Column, KubeObject } from '#spec/kinds/kind.ts';

export const SERVICE_COLUMNS: readonly Column[] = [
  NAME,
  column('Type', 'How the Service is reached.', (service) => textAt(service, 'spec', 'type')),
  column('Cluster-IP', 'Address inside the cluster.', clusterIpCell),
  column('External-IP', 'Addresses outside of it.', externalCell),
  column('Port(s)', 'Ports, with node ports behind a colon.', portsCell),
  AGE,
  column('Selector', 'Labels of the pods behind it.', (service) => formatLabels(at(service, 'spec', 'selector')), {
    wide: true,
  }),
];

function clusterIpCell(service: KubeObject): string {
  return orNone(textsAt(service, 'spec', 'clusterIPs')[0] ?? textAt(service, 'spec', 'clusterIP'));
}

function externalCell(service: KubeObject): string {
  const given = textsAt(service, 'spec', 'externalIPs');
  switch (textAt(service, 'spec', 'type')) {
    case 'ExternalName':
      return textAt(service, 'spec', 'externalName');
    case 'LoadBalancer': {
      const ingress = objectsAt(service, 'status', 'loadBalancer', 'ingress');
      const all = [...ingress.map((one) => textAt(one, 'ip') || textAt(one, 'hostname')), ...given];
      return all.length === 0 ? '<pending>' : all.join(',');
    }
    default:
      return orNone(given.join(','));
  }
}

function portsCell(service: KubeObject): string {
  const ports = objectsAt(service, 'spec', 'ports').map((port) => {
    const nodePort = numberAt(port, 'nodePort') ?? 0;
    const number = nodePort > 0 ? `${numberAt(port, 'port')}:${nodePort}` : `${numberAt(port, 'port')}`;
    return `${number}/${textAt(port, 'protocol')}`;
  });
  return orNone(ports.join(','));
}
