/** `pods/eviction` (policy/v1): a deletion that a PodDisruptionBudget may refuse. */
import { type Api, type Call, keyOf, timeText } from '#serve/api/api.ts';
import { restrictNode } from '#serve/api/authorization/node-writes.ts';
import { readObject } from '#serve/api/http/body.ts';
import { forbiddenTo, internalError, notFound, StatusError } from '#serve/api/http/status-error.ts';
import { matchesLabels, requirementsOf } from '#serve/api/select/labels.ts';
import { readAs } from '#serve/api/storage.ts';
import { answerText } from '#serve/api/verbs/answer.ts';
import { changeObject } from '#serve/api/verbs/change.ts';
import { type DeleteOptions, deleteOptionsOf, removeObject } from '#serve/api/verbs/remove.ts';
import { at, ensureObject, numberAt, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import { type KubeObject, resourceOf } from '#spec/kinds/kind.ts';
import { POD_DISRUPTION_BUDGET } from '#spec/kinds/scheduling.ts';

const MANY = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
/** Evictions that are granted and not yet seen, at most; more mean that nobody counts. */
const MOST_GRANTED = 2000;
const PROCESSING_SECONDS = 10;

/** @throws StatusError 404; 429 when the budget has no room; 500 when several budgets mean the pod */
export async function evictPod(api: Api, call: Call): Promise<void> {
  const body = await readObject(call.request);
  const options = deleteOptionsOf(objectAt(body, 'deleteOptions'), call.query);
  const { kind, info } = call;
  const stored = api.store.get(keyOf(kind, info.namespace, info.name));
  if (stored === undefined) throw notFound(kind, info.name);
  const pod = readAs(kind, stored);
  restrictNode(api, call, undefined, pod);
  if (counts(pod)) askBudget(api, pod, options);
  if (!options.dryRun) noteDisruption(api, call);
  removeObject(api, kind, info.namespace, info.name, options);
  await answerText(call, 201, '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","code":201}');
}

/** Only of pods that run is there something to lose. */
function counts(pod: KubeObject): boolean {
  const phase = textAt(pod, 'status', 'phase');
  return !['Succeeded', 'Failed', 'Pending'].includes(phase) && textAt(pod, 'metadata', 'deletionTimestamp') === '';
}

function askBudget(api: Api, pod: KubeObject, options: DeleteOptions): void {
  const namespace = textAt(pod, 'metadata', 'namespace');
  const all = api.store.list(resourceOf(POD_DISRUPTION_BUDGET)).filter((stored) => stored.namespace === namespace);
  const budgets = all.map((stored) => readAs(POD_DISRUPTION_BUDGET, stored)).filter((budget) => means(budget, pod));
  if (budgets.length > 1) throw internalError(MANY);
  const [budget] = budgets;
  if (budget === undefined || isFree(budget, pod)) return;
  check(budget);
  const target = { kind: POD_DISRUPTION_BUDGET, namespace, name: budget.metadata.name, subresource: 'status' };
  const name = textAt(pod, 'metadata', 'name');
  changeObject(api, target, (old) => granted(old, name, timeText(api.now())), options.dryRun);
}

function means(budget: KubeObject, pod: KubeObject): boolean {
  if (at(budget, 'spec', 'selector') === undefined) return false;
  const labels = Object.entries(objectAt(pod, 'metadata', 'labels')).map(([key, value]) => [key, String(value)]);
  return matchesLabels(requirementsOf(objectAt(budget, 'spec', 'selector')), Object.fromEntries(labels));
}

/** A pod that is not ready is no loss: always, or while the budget is whole without it (KEP-3017). */
function isFree(budget: KubeObject, pod: KubeObject): boolean {
  const ready = objectsAt(pod, 'status', 'conditions').some((one) => one.type === 'Ready' && one.status === 'True');
  if (ready) return false;
  if (textAt(budget, 'spec', 'unhealthyPodEvictionPolicy') === 'AlwaysAllow') return true;
  const healthy = numberAt(budget, 'status', 'currentHealthy') ?? 0;
  const desired = numberAt(budget, 'status', 'desiredHealthy') ?? 0;
  return desired > 0 && healthy >= desired;
}

/** @throws StatusError 429, 403 */
function check(budget: KubeObject): void {
  const { name } = budget.metadata;
  const seen = numberAt(budget, 'status', 'observedGeneration') ?? 0;
  if (seen < (numberAt(budget, 'metadata', 'generation') ?? 0))
    throw refusal(`The disruption budget ${name} is still being processed by the server.`, PROCESSING_SECONDS);
  const waiting = Object.keys(objectAt(budget, 'status', 'disruptedPods')).length;
  if (waiting > MOST_GRANTED)
    throw forbiddenTo(
      POD_DISRUPTION_BUDGET,
      name,
      'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
    );
  if ((numberAt(budget, 'status', 'disruptionsAllowed') ?? 0) > 0) return;
  const [needs, has] = ['desiredHealthy', 'currentHealthy'].map((key) => numberAt(budget, 'status', key) ?? 0);
  throw refusal(`The disruption budget ${name} needs ${needs} healthy pods and has ${has} currently`);
}

function refusal(why: string, retryAfterSeconds?: number): StatusError {
  const message = "Cannot evict pod as it would violate the pod's disruption budget.";
  return new StatusError(429, 'TooManyRequests', message, {
    causes: [{ reason: 'DisruptionBudget', message: why }],
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

/** One less may go, until the budget's controller has seen this one go. */
function granted(budget: KubeObject, pod: string, now: string): KubeObject {
  const status = ensureObject(budget, 'status');
  status.disruptionsAllowed = (numberAt(status, 'disruptionsAllowed') ?? 0) - 1;
  ensureObject(status, 'disruptedPods')[pod] = now;
  return budget;
}

/** Why the pod goes, for Jobs' podFailurePolicy and people (KEP-3329). */
function noteDisruption(api: Api, { kind, info }: Call): void {
  const target = { kind, namespace: info.namespace, name: info.name, subresource: 'status' };
  changeObject(
    api,
    target,
    (pod) => {
      const status = ensureObject(pod, 'status');
      const others = objectsAt(status, 'conditions').filter((one) => one.type !== 'DisruptionTarget');
      const lastTransitionTime = timeText(api.now());
      const why = { reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' };
      status.conditions = [...others, { type: 'DisruptionTarget', status: 'True', ...why, lastTransitionTime }];
      return pod;
    },
    false,
  );
}
