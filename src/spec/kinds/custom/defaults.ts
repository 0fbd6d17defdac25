/** Values that a schema gives what is missing (Kubernetes "CustomResourceDefinitions" §Defaulting). */
import { defaultOf, itemSchema, propertiesOf, type Schema } from '#spec/kinds/custom/schema.ts';
import { copyJson, isObject, type Json } from '#spec/kinds/json.ts';

/** Fills in defaults, in place. */
export function fillDefaults(value: Json, schema: Schema): void {
  if (Array.isArray(value)) {
    for (const item of value) fillDefaults(item, itemSchema(schema));
    return;
  }
  if (!isObject(value)) return;
  for (const [key, inner] of Object.entries(propertiesOf(schema))) {
    if (!isObject(inner)) continue;
    const preset = defaultOf(inner);
    if (preset !== undefined && value[key] === undefined) value[key] = copyJson(preset);
    const now = value[key];
    if (now !== undefined) fillDefaults(now, inner);
  }
  const rest = schema.additionalProperties;
  if (!isObject(rest)) return;
  const named = propertiesOf(schema);
  for (const [key, inner] of Object.entries(value)) if (named[key] === undefined) fillDefaults(inner, rest);
}
