/** CustomResourceDefinitions for tests. */
import type { JsonObject } from '#spec/kinds/json.ts';

export const DEFINITIONS_PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const GAUGES = '/apis/lab.example.org/v1/namespaces/default/gauges';

export function version(name: string, spec: JsonObject, more: JsonObject = {}): JsonObject {
  const properties = {
    spec: { type: 'object', ...spec },
    status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  };
  return { name, served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties } }, ...more };
}

/** A definition of gauges.lab.example.org. */
export function definition(versions: JsonObject[], more: JsonObject = {}): JsonObject {
  const names = { plural: 'gauges', kind: 'Gauge', shortNames: ['gg'], categories: ['all'] };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'gauges.lab.example.org' },
    spec: { group: 'lab.example.org', scope: 'Namespaced', names, versions, ...more },
  };
}

/** The spec of a gauge, with a field for each thing that a schema can say. */
export const GAUGE_SPEC: JsonObject = {
  required: ['unit'],
  properties: {
    unit: { type: 'string', enum: ['bar', 'psi'], description: 'What it measures in.' },
    replicas: { type: 'integer', minimum: 0, maximum: 10, default: 1 },
    serial: { type: 'string', pattern: '^G-[0-9]+$', maxLength: 8 },
    address: { type: 'string', format: 'ipv4' },
    port: { 'x-kubernetes-int-or-string': true },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    raw: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    needles: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, colour: { type: 'string', default: 'red' }, width: { type: 'number' } },
      },
    },
    tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    note: { type: 'string', nullable: true },
  },
};

export function gauge(name: string, spec: JsonObject): JsonObject {
  return { apiVersion: 'lab.example.org/v1', kind: 'Gauge', metadata: { name }, spec };
}
