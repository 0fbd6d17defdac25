/** What a request wants to do, as an authorizer sees it (authorization.k8s.io/v1 ResourceAttributes, NonResourceAttributes). */
import type { ResourceRequest } from '#serve/api/http/request-info.ts';

export interface ResourceAttributes {
  readonly kind: 'resource';
  readonly verb: string;
  readonly group: string;
  /** Plural. */
  readonly resource: string;
  readonly subresource: string;
  /** '' for the cluster's scope, and for all namespaces. */
  readonly namespace: string;
  readonly name: string;
}

export interface PathAttributes {
  readonly kind: 'path';
  /** The method in small letters. */
  readonly verb: string;
  readonly path: string;
}

export type Attributes = ResourceAttributes | PathAttributes;

/** A namespace stands in its own namespace, so that who may see it there may read it. */
export function attributesOf(info: ResourceRequest): ResourceAttributes {
  const { verb, group, plural: resource, subresource, name } = info;
  const namespace = group === '' && resource === 'namespaces' && name !== '' ? name : info.namespace;
  return { kind: 'resource', verb, group, resource, subresource, namespace, name };
}

/** `pods` or `pods/exec`. */
export function resourceText({ resource, subresource }: ResourceAttributes): string {
  return subresource === '' ? resource : `${resource}/${subresource}`;
}

/** What a user may not do, in Kubernetes' words. */
export function deniedText(user: string, attributes: Attributes): string {
  const who = `User ${JSON.stringify(user)} cannot ${attributes.verb}`;
  if (attributes.kind === 'path') return `${who} path ${JSON.stringify(attributes.path)}`;
  const what = `resource ${JSON.stringify(resourceText(attributes))} in API group ${JSON.stringify(attributes.group)}`;
  const { namespace } = attributes;
  return `${who} ${what} ${namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`}`;
}
