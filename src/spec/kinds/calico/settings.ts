/** Calico's kinds of settings and of what it reports: FelixConfiguration, ClusterInformation, CalicoNodeStatus and others. */
import { between, checkFields, duration, each, network, oneOf } from '#spec/kinds/calico/check.ts';
import { calicoRows } from '#spec/kinds/calico/row.ts';
import { column } from '#spec/kinds/columns/common.ts';
import { objectAt, textAt, textsAt } from '#spec/kinds/json.ts';
import { type FieldError, invalid, required } from '#spec/kinds/kind.ts';

const LEVELS = ['Debug', 'Info', 'Warning', 'Error', 'Fatal'];
const port = between(0, 65_535);
const mtu = between(0, 65_535);
const severity = oneOf(...LEVELS, 'None');

/** Settings of every node (`default`) or of one (`node.NAME`): what Polder acts on is checked, the rest has its type. */
export const FELIX_CONFIGURATION = calicoRows({
  kind: 'FelixConfiguration',
  plural: 'felixconfigurations',
  type: 'FelixConfiguration',
  shortNames: ['felixconfig', 'felixconfigs'],
  validate: (object) =>
    checkFields(objectAt(object, 'spec'), 'spec', {
      logSeverityScreen: severity,
      logSeverityFile: severity,
      logSeveritySys: severity,
      chainInsertMode: oneOf('Append', 'Insert'),
      defaultEndpointToHostAction: oneOf('Accept', 'Drop', 'Return'),
      ipipMTU: mtu,
      vxlanMTU: mtu,
      vxlanMTUV6: mtu,
      wireguardMTU: mtu,
      wireguardMTUV6: mtu,
      vxlanPort: between(1, 65_535),
      vxlanVNI: between(1, 16_777_215),
      wireguardListeningPort: between(1, 65_535),
      wireguardListeningPortV6: between(1, 65_535),
      wireguardKeepAlive: duration,
      healthPort: port,
      prometheusMetricsPort: port,
      routeSource: oneOf('CalicoIPAM', 'WorkloadIPs'),
      routeRefreshInterval: duration,
      reportingInterval: duration,
      externalNodesList: each(network()),
      floatingIPs: oneOf('Disabled', 'Enabled'),
    }),
});

export const CLUSTER_INFORMATION = calicoRows({
  kind: 'ClusterInformation',
  plural: 'clusterinformations',
  type: 'ClusterInformation',
  shortNames: ['clusterinfo'],
  columns: [
    column('Version', 'Version of the network.', (object) => textAt(object, 'spec', 'calicoVersion'), { wide: true }),
  ],
});

export const KUBE_CONTROLLERS_CONFIGURATION = calicoRows({
  kind: 'KubeControllersConfiguration',
  plural: 'kubecontrollersconfigurations',
  type: 'KubeControllersConfiguration',
  shortNames: ['kcc', 'kccs'],
  status: true,
  validate: (object) => [
    ...checkFields(objectAt(object, 'spec'), 'spec', {
      logSeverityScreen: oneOf(...LEVELS, 'None', 'Panic'),
      healthChecks: oneOf('Disabled', 'Enabled'),
      etcdV3CompactionPeriod: duration,
      prometheusMetricsPort: port,
    }),
    ...checkFields(objectAt(object, 'spec', 'controllers', 'node'), 'spec.controllers.node', {
      leakGracePeriod: duration,
      reconcilerPeriod: duration,
      syncLabels: oneOf('Disabled', 'Enabled'),
    }),
  ],
});

const CLASSES = ['Agent', 'BGP', 'Routes'];

export const CALICO_NODE_STATUS = calicoRows({
  kind: 'CalicoNodeStatus',
  plural: 'caliconodestatuses',
  type: 'CalicoNodeStatus',
  columns: [column('Node', 'Node that it is about.', (object) => textAt(object, 'spec', 'node'))],
  validate: (object) => {
    const spec = objectAt(object, 'spec');
    const missing = ['node', 'classes', 'updatePeriodSeconds'].filter((key) => spec[key] === undefined);
    return [
      ...missing.map((key) => required(`spec.${key}`)),
      ...checkFields(spec, 'spec', { classes: each(oneOf(...CLASSES)), updatePeriodSeconds: between(0, 86_400) }),
      ...twice(textsAt(spec, 'classes')),
    ];
  },
});

function twice(classes: readonly string[]): FieldError[] {
  return new Set(classes).size === classes.length ? [] : [invalid('spec.classes', [...classes], 'must be unique')];
}
