/** Options of writes, from the query (API reference "common parameters"). */
import { badRequest, invalidObject, type StatusError } from '#serve/api/http/status-error.ts';
import { type FieldError, unsupported } from '#spec/kinds/kind.ts';

export interface WriteOptions {
  readonly dryRun: boolean;
  /** What becomes of unknown fields. */
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict';
}

/** Kinds of meta.k8s.io that hold the options of a verb. */
export type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions' | 'ListOptions';

/** @throws StatusError 422 */
export function writeOptionsOf(query: URLSearchParams, kind: OptionsKind): WriteOptions {
  const validation = query.get('fieldValidation') ?? '';
  if (!isFieldValidation(validation))
    throw invalidOptions(kind, [unsupported('fieldValidation', validation, ['Ignore', 'Strict', 'Warn'])]);
  return { dryRun: dryRunOf(query.getAll('dryRun'), kind), fieldValidation: validation || 'Warn' };
}

/** @throws StatusError 422 */
export function dryRunOf(values: readonly string[], kind: OptionsKind): boolean {
  const wrong = values.filter((value) => value !== 'All' && value !== '');
  if (wrong.length > 0) throw invalidOptions(kind, [unsupported('dryRun', wrong, ['All'])]);
  return values.includes('All');
}

function isFieldValidation(text: string): text is WriteOptions['fieldValidation'] | '' {
  return ['', 'Ignore', 'Strict', 'Warn'].includes(text);
}

/** 422 as for an object: options have fields too. */
export function invalidOptions(kind: OptionsKind, problems: readonly FieldError[]): StatusError {
  return invalidObject({ group: 'meta.k8s.io', kind }, '', problems);
}

/** A positive whole number of the query, undefined when absent. @throws StatusError 400 */
export function wholeNumberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`invalid value for ${name}: ${JSON.stringify(text)}`);
  return Number(text);
}
