/**
 * Expressions of CustomResourceDefinitions in CEL (Kubernetes "CustomResourceDefinitions" §Validation rules): read once,
 * run on values. Kubernetes' own functions that are not here are known by name, so that a rule which calls one is told
 * apart from a rule that is wrong.
 */
import { type ASTNode, Environment, ParseError } from '@marcbachmann/cel-js';
import { addFormats } from '#serve/api/rules/library/formats.ts';
import { addNetworks } from '#serve/api/rules/library/networks.ts';
import { addQuantities } from '#serve/api/rules/library/quantities.ts';
import { addUrls } from '#serve/api/rules/library/urls.ts';
import { addLists, addSets, addTexts } from '#serve/api/rules/library/values.ts';

export interface Expression {
  readonly text: string;
  readonly usesOld: boolean;
  /** Functions that it calls and that are not here: it cannot be run. */
  readonly unknown: readonly string[];
  /** @throws Error when it fails on these values */
  readonly run: (variables: Variables) => unknown;
}

export interface Variables {
  readonly self: unknown;
  /** What stood in its place before, where something did; an `Optional` for rules that say `optionalOldSelf`. */
  readonly oldSelf?: unknown;
}

/** What the server bounds an expression to; Kubernetes bounds its cost. */
const LIMITS = { maxAstNodes: 10_000, maxDepth: 100 };

const LIBRARIES = [addLists, addSets, addTexts, addQuantities, addNetworks, addUrls, addFormats];

const environment = makeEnvironment('dyn');
/** Of rules for which what was before is an optional. */
const withOptionalOld = makeEnvironment('optional');
const known = new Set(environment.getDefinitions().functions.map((one) => one.name));

function makeEnvironment(old: 'dyn' | 'optional'): Environment {
  const made = new Environment({ homogeneousAggregateLiterals: false, enableOptionalTypes: true, limits: LIMITS });
  made.registerVariable('self', 'dyn').registerVariable('oldSelf', old);
  for (const add of LIBRARIES) add(made);
  return made;
}

/** Reads an expression; a text where it is none says why. */
export function readExpression(text: string, optionalOld = false): Expression | string {
  try {
    const program = (optionalOld ? withOptionalOld : environment).parse(text);
    const names = namesIn(program.ast);
    return {
      text,
      usesOld: names.variables.has('oldSelf'),
      unknown: [...names.functions].filter((name) => !known.has(name)),
      run: (variables) => program({ ...variables }),
    };
  } catch (error) {
    if (error instanceof ParseError) return error.summary;
    throw error;
  }
}

interface Names {
  readonly functions: Set<string>;
  readonly variables: Set<string>;
}

function namesIn(root: ASTNode): Names {
  const names: Names = { functions: new Set(), variables: new Set() };
  const open: unknown[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (Array.isArray(node)) open.push(...node);
    else if (isNode(node)) {
      if (node.op === 'call' || node.op === 'rcall') names.functions.add(node.args[0]);
      if (node.op === 'id') names.variables.add(node.args);
      open.push(node.args);
    }
  }
  return names;
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}
