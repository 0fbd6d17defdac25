/** What kinds with a number of replicas share: the subresource `scale` (autoscaling/v1 Scale). */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import { type Json, numberAt } from '#spec/kinds/json.ts';
import { type Column, type FieldError, invalid, type KubeObject, type Subresource } from '#spec/kinds/kind.ts';

export const SCALE: Subresource = {
  name: 'scale',
  verbs: ['get', 'patch', 'update'],
  kind: 'Scale',
  group: 'autoscaling',
  version: 'v1',
};

/** What `kubectl get --subresource=scale` prints. */
export const SCALE_COLUMNS: readonly Column[] = [
  NAME,
  column('Desired', 'Replicas that are wanted.', (one) => numberAt(one, 'spec', 'replicas') ?? 0, { type: 'integer' }),
  column('Available', 'Replicas that are there.', (one) => numberAt(one, 'status', 'replicas') ?? 0, {
    type: 'integer',
  }),
  AGE,
];

/** The field's type in the tables. */
export const SCALE_TYPE = 'V1Scale';

/** A number that is missing or at least 0. */
export function notNegative(object: KubeObject, path: readonly string[]): FieldError[] {
  const value = numberAt(object, ...path);
  if (value === undefined || value >= 0) return [];
  return [invalid(path.join('.'), value, 'must be greater than or equal to 0')];
}

/** A number that is not negative, or a percentage; nothing is 0. */
export function shareErrors(value: Json = 0, field: string): FieldError[] {
  if (typeof value === 'number') return value >= 0 ? [] : [invalid(field, value, 'must be greater than or equal to 0')];
  if (typeof value === 'string' && /^\d+%$/.test(value)) return [];
  return [
    invalid(
      field,
      value,
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', or '93%', regex used for validation is '[0-9]+%')",
    ),
  ];
}
