/** YAML bodies. Loaded when somebody sends one: kubectl sends JSON. */
import { type Document, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { Json } from '#spec/kinds/json.ts';

export interface ParsedYaml {
  readonly value: Json;
  /** Keys that stand twice in one map, in the words of Kubernetes' parser. */
  readonly duplicates: readonly string[];
}

/** Of keys that stand twice the last counts. @throws Error when it is no YAML, or more than one document */
export function parseYaml(text: string): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { uniqueKeys: false, lineCounter: lines });
  const [problem] = document.errors;
  if (problem !== undefined) throw problem;
  return { value: document.toJS(), duplicates: duplicatesOf(document, lines) };
}

function duplicatesOf(document: Document.Parsed, lines: LineCounter): string[] {
  const found: string[] = [];
  visit(document, {
    Map: (_key, map) => {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        const line = lines.linePos(key.range?.[0] ?? 0).line;
        if (seen.has(name)) found.push(`yaml: line ${line}: key ${JSON.stringify(name)} already set in map`);
        seen.add(name);
      }
    },
  });
  return found;
}
