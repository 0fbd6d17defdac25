/** The kubeconfig files that the server itself writes into its data directory, for the addresses it listens on. */
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, isIPv6 } from 'node:net';
import { join } from 'node:path';
import { readPkiFile } from '#serve/api/pki/files.ts';
import { ADMIN, type KubeconfigOptions, writeKubeconfig } from '#serve/api/pki/kubeconfig.ts';

/**
 * Writes `kubeconfig` (administrator, by a loopback address where there is one), and for the first other address
 * `kubeconfig-inside` (the same). Files that still fit are kept.
 */
export async function writeOwnKubeconfigs(
  dataDir: string,
  addresses: readonly AddressInfo[],
  cluster: string,
): Promise<void> {
  const loopback = addresses.find(isLoopback) ?? addresses[0];
  const inside = addresses.find((one) => !isLoopback(one)) ?? addresses[0];
  if (loopback === undefined || inside === undefined) return;
  const common = { dataDir, cluster, user: ADMIN };
  await keepOrWrite(join(dataDir, 'kubeconfig'), { ...common, server: urlOf(loopback) });
  await keepOrWrite(join(dataDir, 'kubeconfig-inside'), { ...common, server: urlOf(inside) });
}

async function keepOrWrite(path: string, options: KubeconfigOptions): Promise<void> {
  if (existsSync(path) && fits(readFileSync(path, 'utf8'), options)) return;
  await writeKubeconfig(path, options);
}

function fits(text: string, options: KubeconfigOptions): boolean {
  const ca = Buffer.from(readPkiFile(options.dataDir, 'ca.crt')).toString('base64');
  return text.includes(`server: ${options.server}\n`) && text.includes(ca);
}

function isLoopback(address: AddressInfo): boolean {
  return address.address.startsWith('127.') || address.address === '::1';
}

function urlOf({ address, port }: AddressInfo): string {
  return `https://${isIPv6(address) ? `[${address}]` : address}:${port}`;
}
