/**
 * What the API server knows of a kind: one row in a table (`table.ts`), and nothing about any kind stands elsewhere.
 * All functions of a row are pure over their arguments; what they need of the world comes in as `World`.
 */
import type { Json, JsonObject } from '#spec/kinds/json.ts';

/** `metadata` of an object (Kubernetes API conventions §Metadata). */
export interface ObjectMeta extends JsonObject {
  name: string;
}

/** An object as the API carries it, after its shape was checked against the field tables. */
export interface KubeObject extends JsonObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

/** A cause of `422 Invalid`, as `k8s.io/apimachinery/util/validation/field` names them. */
export interface FieldError {
  readonly reason:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate'
    | 'FieldValueNotFound'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany';
  /** For example `spec.containers[0].image`. */
  readonly field: string;
  /** As kubectl prints it after the field's path, for example `Required value`. */
  readonly message: string;
}

/** A printer column of `kubectl get` (meta.k8s.io/v1 TableColumnDefinition). */
export interface Column {
  readonly name: string;
  /** `string`, `integer`, `number`, `date` or `boolean`. */
  readonly type: string;
  readonly format?: string;
  readonly description: string;
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority?: number;
  /** The cell; `now` is in milliseconds since the epoch. */
  readonly cell: (object: KubeObject, now: number) => Cell;
}

/** What stands in a column; null is nothing. */
export type Cell = string | number | boolean | null;

/** What a hook may ask of the world around the object. */
export interface World {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** A number in [0, 1) from a good source. */
  readonly random: () => number;
  /** Indexed fields (`Kind.fields`) of all stored objects of a resource, for example of `services`. */
  readonly fieldsOf: (resource: string) => Iterable<Readonly<Record<string, string>>>;
  /** A stored object; `namespace` is '' for what has none. */
  readonly find: (resource: string, namespace: string, name: string) => KubeObject | undefined;
}

/** How names of a kind are checked: RFC 1123 subdomain or label, RFC 1035 label, or a path segment (RBAC). */
export type NameRule = 'subdomain' | 'label' | 'label-1035' | 'path-segment';

/** A subresource beside `status`, which the server has a handler for. */
export interface Subresource {
  readonly name: string;
  readonly verbs: readonly string[];
  /** Kind that is posted to it or streamed from it, and its group and version where they differ from the row's. */
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
}

/** How a row serves the objects that another row stores: one thing in two groups or versions. */
export interface StoredAs {
  readonly kind: Kind;
  /** Neither changes its argument. */
  readonly fromStored: (object: KubeObject) => KubeObject;
  readonly toStored: (object: KubeObject) => KubeObject;
  /** Its names for indexed fields -> the stored row's. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface Kind {
  /** API group, '' for core. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  /** Kind of its list, where that is not the kind with `List` behind it. */
  readonly listKind?: string;
  readonly namespaced: boolean;
  /** Its name in the field tables (`schema/fields.ts`); '' for a kind that a CustomResourceDefinition defines. */
  readonly type: string;
  /** The structural schema of a kind that a CustomResourceDefinition defines. */
  readonly schema?: JsonObject;
  /**
   * Checks the shape of an object from outside and drops what the kind does not know, where that is not done by the field
   * tables. Changes its argument, returns the paths of unknown fields. @throws ShapeError
   */
  readonly decode?: (object: JsonObject) => string[];
  /** What clients of the version are warned of. */
  readonly warning?: string;
  readonly names: NameRule;
  /** What can be done with it, where that is not everything: questions can only be posted. */
  readonly verbs?: readonly string[];
  /** Has `/status`: writes to the main resource leave the status alone, and writes to /status leave the rest alone. */
  readonly status?: boolean;
  readonly subresources?: readonly Subresource[];
  /** Where the numbers of `scale` stand, as paths of keys, if not at spec.replicas, status.replicas and spec.selector. */
  readonly scale?: {
    readonly spec: readonly string[];
    readonly status: readonly string[];
    readonly selector: readonly string[];
  };
  /** `metadata.generation` counts changes of the spec; of a defined kind, of all but metadata and status. */
  readonly generation?: boolean;
  readonly columns: readonly Column[];
  /** Set when the objects are stored in the form of another row; that row's hooks then do not apply. */
  readonly storedAs?: StoredAs;
  /** Fields that a field selector may name beside metadata.name and metadata.namespace, and indexes of the server. */
  readonly fields?: Readonly<Record<string, (object: KubeObject) => string>>;
  /** Writes into a new object who made it, where the kind says that. Changes its first argument. */
  readonly author?: (object: KubeObject, user: { readonly name: string; readonly groups: readonly string[] }) => void;
  /** Fills in what Kubernetes fills in when a field is missing. Changes its argument. */
  readonly defaults?: (object: KubeObject) => void;
  /** Completes a new object with what others say of it; answers why it may not be made: a 403. Changes its argument. */
  readonly admit?: (object: KubeObject, world: World) => string | undefined;
  /** What the server itself decides at creation (addresses, first status). Changes its argument. */
  readonly prepareCreate?: (object: KubeObject, world: World) => readonly FieldError[];
  /** The same before an update is validated. Changes its first argument. */
  readonly prepareUpdate?: (object: KubeObject, old: KubeObject, world: World) => readonly FieldError[];
  readonly validate?: (object: KubeObject) => readonly FieldError[];
  readonly validateUpdate?: (object: KubeObject, old: KubeObject) => readonly FieldError[];
  /**
   * Seconds that a deletion leaves the object for its owner (the kubelet) to end; 0 removes at once.
   * `asked` is the request's gracePeriodSeconds.
   */
  readonly grace?: (object: KubeObject, asked: number | undefined) => number;
  /** What holds up a deletion beside `metadata.finalizers`. */
  readonly finalizers?: (object: KubeObject) => readonly string[];
  /** Why an object may never be deleted: a 403. */
  readonly immortal?: (object: KubeObject) => string | undefined;
  /** Changes an object whose deletion has begun but must wait. */
  readonly markDeleted?: (object: KubeObject) => void;
}

/** `v1` or `apps/v1`. */
export function apiVersionOf(row: { readonly group: string; readonly version: string }): string {
  return row.group === '' ? row.version : `${row.group}/${row.version}`;
}

/** `pods` or `daemonsets.apps`: the key under which objects are stored, the same for all versions of a kind. */
export function resourceOf(row: Pick<Kind, 'group' | 'plural' | 'storedAs'>): string {
  if (row.storedAs !== undefined) return resourceOf(row.storedAs.kind);
  return row.group === '' ? row.plural : `${row.plural}.${row.group}`;
}

/** Whether it can only be posted and is answered, not stored. */
export function isQuestion(row: Pick<Kind, 'verbs'>): boolean {
  return row.verbs?.includes('get') === false;
}

/** The kind of its list. */
export function listKindOf(row: { readonly kind: string; readonly listKind?: string }): string {
  return row.listKind ?? `${row.kind}List`;
}

export function fieldError(reason: FieldError['reason'], field: string, message: string): FieldError {
  return { reason, field, message };
}

export function required(field: string, detail = ''): FieldError {
  return fieldError('FieldValueRequired', field, detail === '' ? 'Required value' : `Required value: ${detail}`);
}

export function invalid(field: string, value: Json, detail: string): FieldError {
  return fieldError('FieldValueInvalid', field, `Invalid value: ${JSON.stringify(value)}: ${detail}`);
}

export function unsupported(field: string, value: Json, supported: readonly string[]): FieldError {
  const list = supported.map((one) => JSON.stringify(one)).join(', ');
  return fieldError(
    'FieldValueNotSupported',
    field,
    `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`,
  );
}

export function forbidden(field: string, detail: string): FieldError {
  return fieldError('FieldValueForbidden', field, `Forbidden: ${detail}`);
}

export function duplicate(field: string, value: Json): FieldError {
  return fieldError('FieldValueDuplicate', field, `Duplicate value: ${JSON.stringify(value)}`);
}

export function notFoundField(field: string, value: Json): FieldError {
  return fieldError('FieldValueNotFound', field, `Not found: ${JSON.stringify(value)}`);
}
