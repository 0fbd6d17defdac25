/**
 * Calico's kinds are served in two groups: `projectcalico.org/v3`, in which people write them, and
 * `crd.projectcalico.org/v1`, as which a cluster stores them. One stored form, the latter.
 */
import { AGE, NAME } from '#spec/kinds/columns/common.ts';
import type { Column, Kind, KubeObject } from '#spec/kinds/kind.ts';

/** What a kind of Calico says of itself; the rest is the same for all. */
export interface CalicoKind
  extends Pick<
    Kind,
    'kind' | 'type' | 'defaults' | 'prepareCreate' | 'prepareUpdate' | 'validate' | 'validateUpdate' | 'status'
  > {
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly namespaced?: boolean;
  /** Its name in the stored form, where it is another. */
  readonly stored?: { readonly kind: string; readonly plural: string };
  /** Columns between name and age. */
  readonly columns?: readonly Column[];
  readonly fields?: Kind['fields'];
}

export const V3 = 'projectcalico.org/v3';
const CRD = 'crd.projectcalico.org/v1';

/** The two rows of a kind: the stored one and the one that people write. */
export function calicoRows(spec: CalicoKind): { readonly v3: Kind; readonly crd: Kind } {
  const { stored, columns = [], fields = {}, namespaced = false, shortNames: _, ...hooks } = spec;
  const common = { ...hooks, namespaced, names: 'subdomain', columns: [NAME, ...columns, AGE] } as const;
  const name = stored ?? spec;
  const crd: Kind = {
    ...common,
    group: 'crd.projectcalico.org',
    version: 'v1',
    kind: name.kind,
    plural: name.plural,
    singular: name.kind.toLowerCase(),
    fields,
    generation: true,
  };
  const v3: Kind = {
    ...common,
    group: 'projectcalico.org',
    version: 'v3',
    singular: spec.kind.toLowerCase(),
    ...(spec.shortNames && { shortNames: spec.shortNames }),
    generation: true,
    storedAs: {
      kind: crd,
      fromStored: (object) => named(object, V3, spec.kind),
      toStored: (object) => named(object, CRD, name.kind),
      fields: Object.fromEntries(Object.keys(fields).map((field) => [field, field])),
    },
  };
  return { v3, crd };
}

function named(object: KubeObject, apiVersion: string, kind: string): KubeObject {
  return { ...object, apiVersion, kind };
}
