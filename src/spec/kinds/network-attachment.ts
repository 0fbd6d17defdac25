/**
 * The kind NetworkAttachmentDefinition of the Network Plumbing Working Group: a CNI configuration as an object, which
 * pods name in an annotation to get a further interface (Kubernetes Network Custom Resource Definition De-facto
 * Standard v1.3, §3).
 */
import { AGE, NAME } from '#spec/kinds/columns/common.ts';
import { textAt } from '#spec/kinds/json.ts';
import { type FieldError, invalid, type Kind, type KubeObject } from '#spec/kinds/kind.ts';

export const NETWORK_ATTACHMENT_DEFINITION: Kind = {
  group: 'k8s.cni.cncf.io',
  version: 'v1',
  kind: 'NetworkAttachmentDefinition',
  plural: 'network-attachment-definitions',
  singular: 'network-attachment-definition',
  shortNames: ['net-attach-def'],
  namespaced: true,
  type: 'NetworkAttachmentDefinition',
  names: 'subdomain',
  generation: true,
  columns: [NAME, AGE],
  validate,
};

/** An empty configuration names a file of the node (§3.3); any other must at least be an object of JSON. */
function validate(object: KubeObject): readonly FieldError[] {
  const config = textAt(object, 'spec', 'config');
  if (config.trim() === '') return [];
  try {
    const value: unknown = JSON.parse(config);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return [];
    return [invalid('spec.config', config, 'must be a JSON object')];
  } catch (error) {
    return [invalid('spec.config', config, error instanceof Error ? error.message : 'must be JSON')];
  }
}
