/**
 * A terminal's transcript, as a text file: what is typed, and what must be read.
 *
 *     ;; a remark
 *     $ kubectl get pods          typed at the prompt, must succeed
 *     ~ kubectl get pods          the same, typed again until it succeeds and says this
 *     ! kubectl get nonsense      typed, must fail
 *     # ip addr                   typed in the shell that the line before has opened
 *     > more                      goes on with the line before (here documents)
 *
 * Lines that begin otherwise are read: `…` stands for any characters of a line, a line of `⋮` for any lines. How
 * many blanks there are in a row does not matter: kubectl's columns are as wide as the widest cell.
 */

export type Manner = '$' | '~' | '!' | '#';

export interface Step {
  /** Of the file, from 1. */
  readonly line: number;
  readonly manner: Manner;
  readonly typed: string;
  readonly reads: readonly string[];
}

/** @throws SyntaxError if something is read before anything is typed */
export function parseTranscript(text: string): Step[] {
  const steps: (Step & { typed: string; reads: string[] })[] = [];
  for (const [index, line] of text.trimEnd().split('\n').entries()) {
    if (line.startsWith(';;')) continue;
    const last = steps.at(-1);
    const [, sign, rest = ''] = /^([$~!#>])(?: (.*))?$/.exec(line) ?? [];
    if (sign === undefined || sign === '>') {
      if (last === undefined) throw new SyntaxError(`line ${index + 1}: nothing has been typed yet`);
      if (sign === '>') last.typed += `\n${rest}`;
      else last.reads.push(line);
    } else {
      steps.push({ line: index + 1, manner: sign as Manner, typed: rest, reads: [] });
    }
  }
  return steps;
}

/** Whether the screen shows what the transcript has. Empty lines at the end do not count. */
export function shows(screen: string, reads: readonly string[]): boolean {
  return linesMatch(linesOf(screen), linesOf(reads.join('\n')));
}

function linesOf(text: string): string[] {
  const lines = text.replaceAll('\r', '').trimEnd();
  return lines === '' ? [] : lines.split('\n').map((line) => line.replace(/\s+/g, ' ').trimEnd());
}

function linesMatch(seen: readonly string[], wanted: readonly string[]): boolean {
  const [first, ...rest] = wanted;
  if (first === undefined) return seen.length === 0;
  if (first.trim() === '⋮') return seen.some((_, at) => linesMatch(seen.slice(at), rest)) || linesMatch([], rest);
  const [line, ...others] = seen;
  return line !== undefined && lineMatches(line, first) && linesMatch(others, rest);
}

function lineMatches(line: string, wanted: string): boolean {
  const pattern = wanted.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`).test(line);
}
