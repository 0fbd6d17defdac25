/** Where keys and certificates of a cluster lie, and reading and writing them. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Names as kubeadm gives them. */
export type PkiFile = 'ca.crt' | 'ca.key' | 'apiserver.crt' | 'apiserver.key' | 'sa.key' | 'sa.pub';

/** The directory of keys below a data directory. */
export function pkiDir(dataDir: string): string {
  return join(dataDir, 'pki');
}

/** Makes the directory of keys, readable by its owner only. */
export function makePkiDir(dataDir: string): void {
  mkdirSync(pkiDir(dataDir), { recursive: true, mode: 0o700 });
}

export function hasPkiFile(dataDir: string, file: PkiFile): boolean {
  return existsSync(join(pkiDir(dataDir), file));
}

export function readPkiFile(dataDir: string, file: PkiFile): string {
  return readFileSync(join(pkiDir(dataDir), file), 'utf8');
}

/** Writes a file whole or not at all; keys are readable by their owner only. */
export function writePkiFile(dataDir: string, file: PkiFile, text: string): void {
  const path = join(pkiDir(dataDir), file);
  writeFileSync(`${path}.new`, text, { mode: file.endsWith('.key') ? 0o600 : 0o644 });
  renameSync(`${path}.new`, path);
}
