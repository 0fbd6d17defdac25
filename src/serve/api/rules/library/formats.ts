/** Named formats of texts in CEL (Kubernetes CEL library `format`). */
import { type Environment, Optional } from '@marcbachmann/cel-js';
import { readUrl } from '#serve/api/rules/library/urls.ts';
import { hasFormat } from '#spec/kinds/custom/formats.ts';
import {
  labelProblem,
  labelValueProblem,
  nameProblem,
  qualifiedNameProblem,
  subdomainProblem,
} from '#spec/kinds/names.ts';

/** Why a text has not the format; undefined if it has. */
type Problem = (text: string) => string | undefined;

class Format {
  readonly problem: Problem;

  constructor(problem: Problem) {
    this.problem = problem;
  }
}

class FormatLibrary {}

const label1035: Problem = (text) => nameProblem('label-1035', text);

const FORMATS: Readonly<Record<string, Problem>> = {
  dns1123Label: labelProblem,
  dns1123Subdomain: subdomainProblem,
  dns1035Label: label1035,
  dns1123LabelPrefix: prefix(labelProblem),
  dns1123SubdomainPrefix: prefix(subdomainProblem),
  dns1035LabelPrefix: prefix(label1035),
  qualifiedName: qualifiedNameProblem,
  labelValue: labelValueProblem,
  uri: (text) => (readUrl(text) === undefined ? 'invalid URI for request' : undefined),
  uuid: named('uuid', 'does not match the UUID format'),
  byte: named('byte', 'invalid base64'),
  date: named('date', 'invalid date'),
  datetime: named('date-time', 'invalid datetime'),
};

/** A name that is to be gone on with may end with a dash. */
function prefix(problem: Problem): Problem {
  return (text) => problem(text.length > 1 ? text.replace(/-$/, 'a') : text);
}

function named(format: string, why: string): Problem {
  return (text) => (hasFormat(text, format) ? undefined : why);
}

export function addFormats(to: Environment): void {
  to.registerType('Format', { ctor: Format, fields: {} })
    .registerType('FormatLibrary', { ctor: FormatLibrary, fields: {} })
    .registerConstant('format', 'FormatLibrary', new FormatLibrary())
    .registerFunction('Format.validate(string): optional<list<string>>', ({ problem }: Format, text: string) => {
      const why = problem(text);
      return why === undefined ? Optional.none() : Optional.of([why]);
    })
    .registerFunction('FormatLibrary.named(string): optional<Format>', (_: FormatLibrary, name: string) => {
      const problem = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
      return problem === undefined ? Optional.none() : Optional.of(new Format(problem));
    });
  for (const [name, problem] of Object.entries(FORMATS))
    to.registerFunction(`FormatLibrary.${name}(): Format`, () => new Format(problem));
}
