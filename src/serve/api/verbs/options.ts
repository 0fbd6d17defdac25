/** Options of writes, from the query (API reference "common parameters"). */
import { badRequest } from '#serve/api/http/status-error.ts';

export interface WriteOptions {
  readonly dryRun: boolean;
  /** What becomes of unknown fields. */
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict';
}

/** @throws StatusError 400 */
export function writeOptionsOf(query: URLSearchParams): WriteOptions {
  return {
    dryRun: dryRunOf(query.getAll('dryRun')),
    fieldValidation: fieldValidationOf(query.get('fieldValidation') ?? ''),
  };
}

/** @throws StatusError 400 */
export function dryRunOf(values: readonly string[]): boolean {
  const wrong = values.find((value) => value !== 'All' && value !== '');
  if (wrong !== undefined) throw badRequest(`dryRun: Unsupported value: "${wrong}": supported values: "All"`);
  return values.includes('All');
}

function fieldValidationOf(text: string): WriteOptions['fieldValidation'] {
  switch (text) {
    case '':
    case 'Warn':
      return 'Warn';
    case 'Ignore':
    case 'Strict':
      return text;
    default:
      throw badRequest(`fieldValidation: Unsupported value: "${text}": supported values: "Ignore", "Strict", "Warn"`);
  }
}

/** A positive whole number of the query, undefined when absent. @throws StatusError 400 */
export function wholeNumberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`invalid value for ${name}: ${JSON.stringify(text)}`);
  return Number(text);
}
