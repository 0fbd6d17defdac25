/** The checks of an object that need more than its row in the table of kinds: rules in CEL. */
import { malformedRules, ruleErrors, ruleWarnings } from '#serve/api/rules/rules.ts';
import { CUSTOM_RESOURCE_DEFINITION } from '#spec/kinds/custom/definition.ts';
import { type FieldError, type Kind, type KubeObject, resourceOf } from '#spec/kinds/kind.ts';

/** Of an object whose shape is right. `old` is undefined for a new one. */
export function checkRules(kind: Kind, object: KubeObject, old: KubeObject | undefined): FieldError[] {
  return isDefinition(kind) ? malformedRules(object) : ruleErrors(kind, object, old);
}

/** What a writer is warned of. */
export function warningsOf(kind: Kind, object: KubeObject): string[] {
  return isDefinition(kind) ? ruleWarnings(object) : [];
}

function isDefinition(kind: Kind): boolean {
  return resourceOf(kind) === resourceOf(CUSTOM_RESOURCE_DEFINITION);
}
