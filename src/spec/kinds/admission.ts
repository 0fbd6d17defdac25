/** Kinds of admissionregistration.k8s.io: kept for those who bring them, and acted on by nobody, which every writer is told. */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import {
  ensureObject,
  isObject,
  type JsonObject,
  objectAt,
  objectsAt,
  setDefault,
  textAt,
  textsAt,
} from '#spec/kinds/json.ts';
import { type FieldError, invalid, type Kind, type KubeObject, required, unsupported } from '#spec/kinds/kind.ts';
import { subdomainProblem } from '#spec/kinds/names.ts';

const GROUP = { group: 'admissionregistration.k8s.io', version: 'v1', namespaced: false, names: 'subdomain' } as const;
const POLICIES = ['Fail', 'Ignore'];
const SIDE_EFFECTS = ['None', 'NoneOnDryRun'];
const ACTIONS = ['Audit', 'Deny', 'Warn'];

const webhookKind = (what: 'Mutating' | 'Validating'): Kind => ({
  ...GROUP,
  kind: `${what}WebhookConfiguration`,
  plural: `${what.toLowerCase()}webhookconfigurations`,
  singular: `${what.toLowerCase()}webhookconfiguration`,
  type: `V1${what}WebhookConfiguration`,
  warning: `${what}WebhookConfigurations are kept, and their webhooks are not called`,
  generation: true,
  columns: [
    NAME,
    column('Webhooks', 'How many it has.', (one) => objectsAt(one, 'webhooks').length, { type: 'integer' }),
    AGE,
  ],
  defaults: (one) => {
    for (const webhook of objectsAt(one, 'webhooks')) defaultWebhook(webhook, what === 'Mutating');
  },
  validate: (one) => objectsAt(one, 'webhooks').flatMap((webhook, i) => webhookErrors(webhook, `webhooks[${i}]`)),
});

export const MUTATING_WEBHOOK_CONFIGURATION = webhookKind('Mutating');
export const VALIDATING_WEBHOOK_CONFIGURATION = webhookKind('Validating');

function defaultWebhook(webhook: JsonObject, mutates: boolean): void {
  setDefault(webhook, 'failurePolicy', 'Fail');
  setDefault(webhook, 'timeoutSeconds', 10);
  if (mutates) setDefault(webhook, 'reinvocationPolicy', 'Never');
  defaultMatch(webhook);
  for (const rule of objectsAt(webhook, 'rules')) setDefault(rule, 'scope', '*');
  const service = objectAt(webhook, 'clientConfig').service;
  if (isObject(service)) setDefault(service, 'port', 443);
}

function defaultMatch(match: JsonObject): void {
  setDefault(match, 'matchPolicy', 'Equivalent');
  setDefault(match, 'namespaceSelector', {});
  setDefault(match, 'objectSelector', {});
}

function webhookErrors(webhook: JsonObject, path: string): FieldError[] {
  const name = textAt(webhook, 'name');
  const effects = textAt(webhook, 'sideEffects');
  const config = objectAt(webhook, 'clientConfig');
  const errors: FieldError[] = [];
  if (subdomainProblem(name) !== undefined || name.split('.').length < 3)
    errors.push(invalid(`${path}.name`, name, 'should be a domain with at least three segments separated by dots'));
  if ((config.url === undefined) === (config.service === undefined))
    errors.push(required(`${path}.clientConfig`, 'exactly one of url or service is required'));
  if (!SIDE_EFFECTS.includes(effects)) errors.push(unsupported(`${path}.sideEffects`, effects, SIDE_EFFECTS));
  if (textsAt(webhook, 'admissionReviewVersions').length === 0)
    errors.push(required(`${path}.admissionReviewVersions`, 'must specify one of v1, v1beta1'));
  return [...errors, ...policyErrors(webhook, path)];
}

function policyErrors(one: JsonObject, path: string): FieldError[] {
  const policy = textAt(one, 'failurePolicy');
  return POLICIES.includes(policy) ? [] : [unsupported(`${path}.failurePolicy`, policy, POLICIES)];
}

export const VALIDATING_ADMISSION_POLICY: Kind = {
  ...GROUP,
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  singular: 'validatingadmissionpolicy',
  type: 'V1ValidatingAdmissionPolicy',
  warning: 'ValidatingAdmissionPolicies are kept, and not evaluated',
  status: true,
  generation: true,
  columns: [
    NAME,
    column('Validations', 'How many it has.', (one) => objectsAt(one, 'spec', 'validations').length, {
      type: 'integer',
    }),
    column('ParamKind', 'What its parameters are.', paramKind),
    AGE,
  ],
  defaults: (one) => {
    const spec = ensureObject(one, 'spec');
    setDefault(spec, 'failurePolicy', 'Fail');
    const match = spec.matchConstraints;
    if (!isObject(match)) return;
    defaultMatch(match);
    for (const rule of objectsAt(match, 'resourceRules')) setDefault(rule, 'scope', '*');
  },
  validate: (one) => {
    const spec = objectAt(one, 'spec');
    const errors = spec.matchConstraints === undefined ? [required('spec.matchConstraints')] : [];
    if (objectsAt(spec, 'validations').length === 0 && objectsAt(spec, 'auditAnnotations').length === 0)
      errors.push(required('spec.validations', 'validations or auditAnnotations must contain at least one item'));
    return [...errors, ...policyErrors(spec, 'spec')];
  },
};

function paramKind(policy: KubeObject): string {
  const { apiVersion, kind } = objectAt(policy, 'spec', 'paramKind');
  return kind === undefined ? '<unset>' : `${apiVersion}/${kind}`;
}

export const VALIDATING_ADMISSION_POLICY_BINDING: Kind = {
  ...GROUP,
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  singular: 'validatingadmissionpolicybinding',
  type: 'V1ValidatingAdmissionPolicyBinding',
  warning: 'ValidatingAdmissionPolicyBindings are kept, and not evaluated',
  generation: true,
  columns: [
    NAME,
    column('PolicyName', 'What it binds.', (one) => textAt(one, 'spec', 'policyName')),
    column('ParamRef', 'Its parameters.', paramRef),
    AGE,
  ],
  defaults: (one) => {
    const match = objectAt(one, 'spec').matchResources;
    if (isObject(match)) defaultMatch(match);
  },
  validate: (one) => {
    const errors = textAt(one, 'spec', 'policyName') === '' ? [required('spec.policyName')] : [];
    const actions = textsAt(objectAt(one, 'spec'), 'validationActions');
    if (actions.length === 0) errors.push(required('spec.validationActions'));
    const wrong = actions.findIndex((action) => !ACTIONS.includes(action));
    return wrong < 0
      ? errors
      : [...errors, unsupported(`spec.validationActions[${wrong}]`, actions[wrong] ?? '', ACTIONS)];
  },
};

function paramRef(binding: KubeObject): string {
  const { namespace, name } = objectAt(binding, 'spec', 'paramRef');
  if (name === undefined) return '<unset>';
  return namespace === undefined ? String(name) : `${namespace}/${name}`;
}
