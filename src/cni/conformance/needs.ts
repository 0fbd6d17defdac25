/** What the suite itself needs of the machine: tools, and features of its kernel. */

import { FEATURES, type Feature } from '#cni/conformance/descriptor.ts';
import { programPath, run } from '#cni/conformance/exec.ts';
import { connectNode, throwAwayNetns } from '#cni/conformance/ground.ts';
import { PolderError } from '#spec/errors.ts';

/** Tools and Debian's packages of them. What single cases need beside skips these. */
const TOOLS = {
  ip: 'iproute2',
  bridge: 'iproute2',
  tc: 'iproute2',
  nft: 'nftables',
  ping: 'iputils-ping',
  sysctl: 'procps',
} as const;

/** @throws PolderError program-missing: without one of them a plugin would be blamed for what cannot be seen */
export function needTools(): void {
  const missing = Object.entries(TOOLS).find(([name]) => programPath(name) === undefined);
  if (!missing) return;
  const [program, of] = missing;
  throw new PolderError('program-missing', { needs: 'The suite', program, package: of });
}

/** What serves and asks at a port of a pod. */
const AT_PORTS = { cases: /^portmap\/(traffic\.|input\.key-case$)/, tools: ['socat', 'ss'] } as const;

/**
 * Said before the case, which would blame the plugin.
 *
 * @param id of the case, `plugin/case` @param isThere whether there is a tool of that name
 */
export function missingTool(
  id: string,
  isThere = (name: string) => programPath(name) !== undefined,
): string | undefined {
  return AT_PORTS.cases.test(id) ? AT_PORTS.tools.find((name) => !isThere(name)) : undefined;
}

/** Features that this kernel has not, each tried in a namespace of its own. */
export async function lackingFeatures(): Promise<ReadonlySet<Feature>> {
  const lacking = new Set<Feature>();
  for (const [name, command] of Object.entries(FEATURES) as [Feature, string][]) {
    using node = throwAwayNetns();
    using outside = throwAwayNetns();
    await connectNode(node, outside);
    const [program = '', ...args] = command.startsWith('nft ') ? ['nft', command.slice(4)] : command.split(' ');
    if ((await run(node, program, args)).exit !== 0) lacking.add(name);
  }
  return lacking;
}
