/**
 * Who may do what: role-based access control from the stored roles and bindings (Kubernetes "Using RBAC
 * Authorization"), and nodes what their pods need. Who is in `system:masters` may do everything. The bindings are read once and again after a change.
 */
import type { Attributes } from '#serve/api/authorization/attributes.ts';
import { nodeAllows, nodeOf } from '#serve/api/authorization/node.ts';
import { type Rule, ruleAllows, ruleOf } from '#serve/api/authorization/rules.ts';
import type { User } from '#serve/api/pki/tokens.ts';
import { readStored } from '#serve/api/storage.ts';
import type { Store } from '#serve/api/store/store.ts';
import { type JsonObject, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import { resourceOf } from '#spec/kinds/kind.ts';
import { CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING } from '#spec/kinds/rbac.ts';

const MASTERS = 'system:masters';

interface Binding {
  /** '' binds in the whole cluster. */
  readonly namespace: string;
  readonly subjects: readonly JsonObject[];
  readonly role: JsonObject;
}

export class Access implements Disposable {
  readonly #store: Store;
  readonly #subscriptions: readonly Disposable[];
  #bindings: readonly Binding[] | undefined;
  /** Rules of a user, by name, groups and namespace. */
  readonly #rules = new Map<string, readonly Rule[]>();

  constructor(store: Store) {
    this.#store = store;
    const kinds = [ROLE, CLUSTER_ROLE, ROLE_BINDING, CLUSTER_ROLE_BINDING];
    this.#subscriptions = kinds.map((kind) => store.subscribe(resourceOf(kind), () => this.#forget()));
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }

  #forget(): void {
    this.#bindings = undefined;
    this.#rules.clear();
  }

  allows(user: User, wanted: Attributes): boolean {
    if (isMaster(user)) return true;
    const node = nodeOf(user);
    if (node !== undefined && nodeAllows(this.#store, node, wanted)) return true;
    const namespace = wanted.kind === 'resource' ? wanted.namespace : '';
    return this.rulesOf(user, namespace).some((rule) => ruleAllows(rule, wanted));
  }

  /** All rules that hold for a user in a namespace; '' is the cluster's scope. */
  rulesOf(user: User, namespace: string): readonly Rule[] {
    if (isMaster(user)) return EVERYTHING;
    const key = JSON.stringify([namespace, user.name, user.groups]);
    const known = this.#rules.get(key) ?? this.#read(user, namespace);
    this.#rules.set(key, known);
    return known;
  }

  /** The rules of a role; empty if there is no such role. */
  rulesOfRole(namespace: string, role: JsonObject): readonly Rule[] {
    const kind = textAt(role, 'kind') === ROLE.kind ? ROLE : CLUSTER_ROLE;
    const place = kind === ROLE ? namespace : '';
    const stored = this.#store.get({ resource: resourceOf(kind), namespace: place, name: textAt(role, 'name') });
    return stored === undefined ? [] : objectsAt(readStored(stored), 'rules').map(ruleOf);
  }

  #read(user: User, namespace: string): Rule[] {
    this.#bindings ??= [...this.#bindingsOf(CLUSTER_ROLE_BINDING), ...this.#bindingsOf(ROLE_BINDING)];
    return this.#bindings
      .filter((binding) => binding.namespace === '' || binding.namespace === namespace)
      .filter((binding) => binding.subjects.some((subject) => isSubject(user, subject, binding.namespace)))
      .flatMap((binding) => this.rulesOfRole(binding.namespace, binding.role));
  }

  #bindingsOf(kind: typeof ROLE_BINDING): Binding[] {
    return this.#store.list(resourceOf(kind)).map((stored) => {
      const object = readStored(stored);
      return {
        namespace: stored.namespace,
        subjects: objectsAt(object, 'subjects'),
        role: objectAt(object, 'roleRef'),
      };
    });
  }
}

const ALL = ['*'];
const EVERYTHING: readonly Rule[] = [
  { verbs: ALL, apiGroups: ALL, resources: ALL, resourceNames: [], nonResourceURLs: [] },
  { verbs: ALL, apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: ALL },
];

export function isMaster(user: User): boolean {
  return user.groups.includes(MASTERS);
}

/** An account without a namespace, in a binding of a namespace, is that namespace's. */
function isSubject(user: User, subject: JsonObject, namespace: string): boolean {
  const name = textAt(subject, 'name');
  switch (textAt(subject, 'kind')) {
    case 'User':
      return user.name === name;
    case 'Group':
      return user.groups.includes(name);
    case 'ServiceAccount':
      return user.name === `system:serviceaccount:${textAt(subject, 'namespace') || namespace}:${name}`;
    default:
      return false;
  }
}
