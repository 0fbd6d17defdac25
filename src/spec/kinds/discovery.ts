/** Kinds of the group discovery.k8s.io. */
import { ENDPOINT_SLICE_COLUMNS } from '#spec/kinds/columns/network.ts';
import { listAt, objectsAt, sameJson, setDefault, textAt, textsAt } from '#spec/kinds/json.ts';
import {
  type FieldError,
  fieldError,
  invalid,
  type Kind,
  type KubeObject,
  required,
  unsupported,
} from '#spec/kinds/kind.ts';

const FAMILIES = ['FQDN', 'IPv4', 'IPv6'];
/** Limits of the API reference, "EndpointSlice". */
const MOST_ENDPOINTS = 1000;
const MOST_PORTS = 20_000;

export const ENDPOINT_SLICE: Kind = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  singular: 'endpointslice',
  namespaced: true,
  type: 'V1EndpointSlice',
  names: 'subdomain',
  generation: true,
  columns: ENDPOINT_SLICE_COLUMNS,
  defaults: (object) => {
    for (const port of objectsAt(object, 'ports')) {
      setDefault(port, 'name', '');
      setDefault(port, 'protocol', 'TCP');
    }
  },
  validate,
  validateUpdate: (object, old) =>
    sameJson(object.addressType, old.addressType)
      ? []
      : [invalid('addressType', object.addressType ?? null, 'field is immutable')],
};

function validate(slice: KubeObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  const family = textAt(slice, 'addressType');
  if (family === '') errors.push(required('addressType'));
  else if (!FAMILIES.includes(family)) errors.push(unsupported('addressType', family, FAMILIES));
  if (listAt(slice, 'endpoints').length > MOST_ENDPOINTS)
    errors.push(fieldError('FieldValueTooLong', 'endpoints', `Too many: must have at most ${MOST_ENDPOINTS} items`));
  if (listAt(slice, 'ports').length > MOST_PORTS)
    errors.push(fieldError('FieldValueTooLong', 'ports', `Too many: must have at most ${MOST_PORTS} items`));
  for (const [index, endpoint] of objectsAt(slice, 'endpoints').entries()) {
    if (textsAt(endpoint, 'addresses').length === 0)
      errors.push(required(`endpoints[${index}].addresses`, 'must contain at least 1 address'));
  }
  return errors;
}
