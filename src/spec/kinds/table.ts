/** The kinds that the embedded API serves. A new kind is a row here, and a run of `src/cmd/generate-fields.ts` and `generate-protobuf.ts`. */
import {
  MUTATING_WEBHOOK_CONFIGURATION,
  VALIDATING_ADMISSION_POLICY,
  VALIDATING_ADMISSION_POLICY_BINDING,
  VALIDATING_WEBHOOK_CONFIGURATION,
} from '#spec/kinds/admission.ts';
import { API_SERVICE } from '#spec/kinds/api-service.ts';
import { CONTROLLER_REVISION, DEPLOYMENT, REPLICA_SET, STATEFUL_SET } from '#spec/kinds/apps.ts';
import { HORIZONTAL_POD_AUTOSCALER, HORIZONTAL_POD_AUTOSCALER_V1 } from '#spec/kinds/autoscaling.ts';
import { CRON_JOB, JOB } from '#spec/kinds/batch.ts';
import { CALICO_KINDS } from '#spec/kinds/calico/table.ts';
import { CERTIFICATE_SIGNING_REQUEST } from '#spec/kinds/certificates.ts';
import { LEASE } from '#spec/kinds/coordination.ts';
import { CONFIG_MAP, SECRET, SERVICE_ACCOUNT } from '#spec/kinds/core/configuration.ts';
import { ENDPOINTS } from '#spec/kinds/core/endpoints.ts';
import { EVENT } from '#spec/kinds/core/event.ts';
import { LIMIT_RANGE, RESOURCE_QUOTA } from '#spec/kinds/core/limits.ts';
import { NAMESPACE } from '#spec/kinds/core/namespace.ts';
import { NODE } from '#spec/kinds/core/node.ts';
import { POD } from '#spec/kinds/core/pod.ts';
import { POD_TEMPLATE } from '#spec/kinds/core/pod-template.ts';
import { SERVICE } from '#spec/kinds/core/service.ts';
import { CUSTOM_RESOURCE_DEFINITION } from '#spec/kinds/custom/definition.ts';
import { ENDPOINT_SLICE } from '#spec/kinds/discovery.ts';
import { EVENTS_EVENT } from '#spec/kinds/events.ts';
import type { Kind } from '#spec/kinds/kind.ts';
import { NODE_METRICS, POD_METRICS } from '#spec/kinds/metrics.ts';
import { NETWORK_ATTACHMENT_DEFINITION } from '#spec/kinds/network-attachment.ts';
import { INGRESS, INGRESS_CLASS, NETWORK_POLICY } from '#spec/kinds/networking.ts';
import { CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING } from '#spec/kinds/rbac.ts';
import {
  LOCAL_SUBJECT_ACCESS_REVIEW,
  SELF_SUBJECT_ACCESS_REVIEW,
  SELF_SUBJECT_REVIEW,
  SELF_SUBJECT_RULES_REVIEW,
  SUBJECT_ACCESS_REVIEW,
  TOKEN_REVIEW,
} from '#spec/kinds/reviews.ts';
import { RUNTIME_CLASS } from '#spec/kinds/runtime-class.ts';
import { POD_DISRUPTION_BUDGET, PRIORITY_CLASS } from '#spec/kinds/scheduling.ts';
import { PERSISTENT_VOLUME_CLAIM } from '#spec/kinds/storage/claim.ts';
import { STORAGE_CLASS } from '#spec/kinds/storage/class.ts';
import { CSI_DRIVER, CSI_NODE } from '#spec/kinds/storage/csi.ts';
import { PERSISTENT_VOLUME } from '#spec/kinds/storage/volume.ts';
import { DAEMON_SET } from '#spec/kinds/workloads.ts';

export const KINDS: readonly Kind[] = [
  CONFIG_MAP,
  ENDPOINTS,
  EVENT,
  LIMIT_RANGE,
  NAMESPACE,
  NODE,
  PERSISTENT_VOLUME_CLAIM,
  PERSISTENT_VOLUME,
  POD,
  POD_TEMPLATE,
  RESOURCE_QUOTA,
  SECRET,
  SERVICE_ACCOUNT,
  SERVICE,
  MUTATING_WEBHOOK_CONFIGURATION,
  VALIDATING_ADMISSION_POLICY,
  VALIDATING_ADMISSION_POLICY_BINDING,
  VALIDATING_WEBHOOK_CONFIGURATION,
  CUSTOM_RESOURCE_DEFINITION,
  API_SERVICE,
  CONTROLLER_REVISION,
  DAEMON_SET,
  DEPLOYMENT,
  REPLICA_SET,
  STATEFUL_SET,
  SELF_SUBJECT_REVIEW,
  TOKEN_REVIEW,
  LOCAL_SUBJECT_ACCESS_REVIEW,
  SELF_SUBJECT_ACCESS_REVIEW,
  SELF_SUBJECT_RULES_REVIEW,
  SUBJECT_ACCESS_REVIEW,
  HORIZONTAL_POD_AUTOSCALER,
  HORIZONTAL_POD_AUTOSCALER_V1,
  CRON_JOB,
  JOB,
  CERTIFICATE_SIGNING_REQUEST,
  LEASE,
  ENDPOINT_SLICE,
  EVENTS_EVENT,
  INGRESS_CLASS,
  INGRESS,
  NETWORK_POLICY,
  RUNTIME_CLASS,
  POD_DISRUPTION_BUDGET,
  CLUSTER_ROLE_BINDING,
  CLUSTER_ROLE,
  ROLE_BINDING,
  ROLE,
  PRIORITY_CLASS,
  CSI_DRIVER,
  CSI_NODE,
  STORAGE_CLASS,
  NETWORK_ATTACHMENT_DEFINITION,
  NODE_METRICS,
  POD_METRICS,
  ...CALICO_KINDS,
];
