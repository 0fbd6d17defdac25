/** `lab.json`: what a lab is to be, kept so that every later command and a start after a crash know it. */

import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { LABS_DIR, LABS_RUN_DIR, type LabPaths, labPaths } from '#lab/names.ts';
import type { LabSpec } from '#lab/spec.ts';
import { PolderError } from '#spec/errors.ts';

const VERSION = 1;

/** Undefined if there is no such lab. @throws PolderError 'file-invalid' if the file cannot be read as one. */
export function loadLab(name: string): LabSpec | undefined {
  const file = labPaths(name).labFile;
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  const found = parseLab(text);
  if (found?.version === VERSION && found.spec) return found.spec;
  const what = found?.version === undefined ? 'is damaged' : `is of version ${found.version}, this is ${VERSION}`;
  throw new PolderError('file-invalid', { file, what: `it ${what}; \`polder lab down\` still removes the lab.` });
}

/** The lab, which must be there. @throws PolderError 'no-lab' */
export function requireLab(name: string): LabSpec {
  const spec = loadLab(name);
  if (spec === undefined) throw new PolderError('no-lab', { lab: name });
  return spec;
}

export function saveLab(paths: LabPaths, spec: LabSpec): void {
  mkdirSync(paths.dir, { recursive: true });
  writeFileSync(`${paths.labFile}.new`, `${JSON.stringify({ version: VERSION, spec }, null, 2)}\n`);
  renameSync(`${paths.labFile}.new`, paths.labFile);
}

/** Names of all labs that have left anything on this machine, sorted. */
export function listLabs(): string[] {
  return [...new Set([LABS_DIR, LABS_RUN_DIR].flatMap(foldersIn))].sort();
}

function parseLab(text: string): { version?: number; spec?: LabSpec } | undefined {
  try {
    return JSON.parse(text) as { version?: number; spec?: LabSpec };
  } catch {
    return undefined;
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function foldersIn(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return [];
  }
}
