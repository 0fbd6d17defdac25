/** What kinds with a number of replicas share: the subresource `scale` (autoscaling/v1 Scale). */
import { numberAt } from '#spec/kinds/json.ts';
import { type FieldError, invalid, type KubeObject, type Subresource } from '#spec/kinds/kind.ts';

export const SCALE: Subresource = {
  name: 'scale',
  verbs: ['get', 'patch', 'update'],
  kind: 'Scale',
  group: 'autoscaling',
  version: 'v1',
};

/** The field's type in the tables. */
export const SCALE_TYPE = 'V1Scale';

/** A number that is missing or at least 0. */
export function notNegative(object: KubeObject, path: readonly string[]): FieldError[] {
  const value = numberAt(object, ...path);
  if (value === undefined || value >= 0) return [];
  return [invalid(path.join('.'), value, 'must be greater than or equal to 0')];
}
