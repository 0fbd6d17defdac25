/** Checks of a pod's volumes (API reference "Volume"): one source each, with what that source needs. */
import { isObject, type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';
import { type FieldError, forbidden, required } from '#spec/kinds/kind.ts';

/** Fields without which a source says nothing. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  configMap: ['name'],
  csi: ['driver'],
  hostPath: ['path'],
  nfs: ['server', 'path'],
  persistentVolumeClaim: ['claimName'],
  secret: ['secretName'],
};

export function volumeErrors(spec: JsonObject, path: string): FieldError[] {
  return objectsAt(spec, 'volumes').flatMap((volume, index) => {
    const place = `${path}.volumes[${index}]`;
    const [first, ...more] = Object.keys(volume).filter((key) => key !== 'name');
    const source = first === undefined ? undefined : volume[first];
    const errors = more.map((key) => forbidden(`${place}.${key}`, 'may not specify more than 1 volume type'));
    if (first === undefined || !isObject(source)) return errors;
    const missing = (NEEDED[first] ?? []).filter((key) => textAt(source, key) === '');
    return [...missing.map((key) => required(`${place}.${first}.${key}`)), ...errors];
  });
}
