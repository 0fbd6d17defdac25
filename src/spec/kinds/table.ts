/** The kinds that the embedded API serves. A new kind is a row here, and a run of `src/cmd/generate-fields.ts` and `generate-protobuf.ts`. */
import { LEASE } from '#spec/kinds/coordination.ts';
import { CONFIG_MAP, SECRET, SERVICE_ACCOUNT } from '#spec/kinds/core/configuration.ts';
import { EVENT } from '#spec/kinds/core/event.ts';
import { NAMESPACE } from '#spec/kinds/core/namespace.ts';
import { NODE } from '#spec/kinds/core/node.ts';
import { POD } from '#spec/kinds/core/pod.ts';
import { SERVICE } from '#spec/kinds/core/service.ts';
import { EVENTS_EVENT } from '#spec/kinds/events.ts';
import type { Kind } from '#spec/kinds/kind.ts';
import { NETWORK_ATTACHMENT_DEFINITION } from '#spec/kinds/network-attachment.ts';
import { SELF_SUBJECT_ACCESS_REVIEW, SELF_SUBJECT_REVIEW, SELF_SUBJECT_RULES_REVIEW } from '#spec/kinds/reviews.ts';
import { DAEMON_SET } from '#spec/kinds/workloads.ts';

export const KINDS: readonly Kind[] = [
  CONFIG_MAP,
  EVENT,
  NAMESPACE,
  NODE,
  POD,
  SECRET,
  SERVICE_ACCOUNT,
  SERVICE,
  DAEMON_SET,
  SELF_SUBJECT_REVIEW,
  SELF_SUBJECT_ACCESS_REVIEW,
  SELF_SUBJECT_RULES_REVIEW,
  LEASE,
  EVENTS_EVENT,
  NETWORK_ATTACHMENT_DEFINITION,
];
