/** M1, M2, M3: who reaches whom, and whom the other end sees. */

import { nodeNetns } from '#lab/names.ts';
import { familiesOf } from '#lab/spec.ts';
import { type Claim, type Finding, holds } from '#lab/verify/claim.ts';
import { getFromNode } from '#lab/verify/http.ts';
import { PORT, pairsOf, type TrialPod, urlHost, WHO_PATH, type World } from '#lab/verify/world.ts';
import { readAddr } from '#net/addr.ts';

export const SHARED_NAMESPACE: Claim = {
  id: 'M1',
  async try(world) {
    const [pod] = world.pods;
    const by = await world.exec(pod, 'side', fetchWho(world, 'localhost'));
    if (by.code !== 0) return holds(`the other container does not reach it by localhost: ${by.stderr.trim()}`, '');
    const bind = await world.exec(pod, 'side', [...withinAnswer(world), 'httpd', '-f', '-p', `${PORT}`]);
    const refused = /in use/i.test(bind.stderr);
    return holds(
      refused ? undefined : `a second bind of port ${PORT} in the same pod was not refused`,
      `container "side" reached "web" by localhost:${PORT} (seen as ${plain(by.stdout.trim())}); a second bind: ${lastOf(bind.stderr)}`,
    );
  },
};

export const POD_TO_POD: Claim = {
  id: 'M2',
  async try(world) {
    const pairs = world.pods.flatMap((from) => world.pods.filter((to) => to !== from).map((to) => ({ from, to })));
    const ways = pairs.flatMap(({ from, to }) => pairsOf(from.ips, to.ips).map((addrs) => ({ from, to, addrs })));
    const missing = world.pods.find(({ ips }) => ips.length !== familiesOf(world.spec).length);
    if (missing) return holds(`pod ${missing.name} has ${missing.ips.join(' and ')}, not one address a family`, '');
    const seen = await Promise.all(ways.map(({ from, to, addrs }) => podToPod(world, from, to, addrs)));
    const failed = seen.find((each) => !each.ok);
    if (failed !== undefined) return failed;
    const across = world.pods.length > 2 ? 'on one node and across nodes' : 'on one node (the lab has no second)';
    return {
      ok: true,
      seen: `${seen.length} ways ${across}, each server saw the client's own address: ${seen.at(-1)?.seen}`,
    };
  },
};

async function podToPod(
  world: World,
  from: TrialPod,
  to: TrialPod,
  addrs: { readonly from: string; readonly to: string },
): Promise<Finding> {
  const way = `${addrs.from} on ${from.node.name} -> ${addrs.to} on ${to.node.name}`;
  const got = await world.exec(from, 'side', fetchWho(world, addrs.to));
  const who = plain(got.stdout.trim());
  if (got.code !== 0)
    return { ok: false, seen: `${way}: no answer${lastOf(got.stderr) === '' ? '' : ` (${lastOf(got.stderr)})`}` };
  return sameAddress(who, addrs.from) ? { ok: true, seen: way } : { ok: false, seen: `${way}: the server saw ${who}` };
}

/** However it is spelt. */
function sameAddress(a: string, b: string): boolean {
  return a === b || (readAddr(a) !== undefined && readAddr(a) === readAddr(b));
}

export const NODE_TO_POD: Claim = {
  id: 'M3',
  async try(world) {
    const ways = world.nodes.flatMap((node) => world.pods.flatMap((pod) => pod.ips.map((ip) => ({ node, pod, ip }))));
    const failures = await Promise.all(
      ways.map(async ({ node, pod, ip }) => {
        const netns = nodeNetns(world.spec.name, node.name);
        const way = `${node.name} -> ${ip} on ${pod.node.name}`;
        try {
          const { from, body } = await getFromNode(netns, ip, PORT, WHO_PATH, world.patience.answerMs);
          return sameAddress(plain(body), from) ? undefined : `${way}: the node had ${from}, the pod saw ${body}`;
        } catch (error) {
          return `${way}: ${error instanceof Error ? error.message : error}`;
        }
      }),
    );
    return holds(
      failures.find((failure) => failure !== undefined),
      `${world.nodes.length} nodes reached ${world.pods.length} pods, local and remote, each pod saw the node's own address`,
    );
  },
};

/** A little less than an answer may take: what the command says of it is still heard. */
function withinAnswer({ patience }: World): string[] {
  return ['timeout', `${Math.ceil((patience.answerMs * 0.8) / 1000)}`];
}

function fetchWho(world: World, host: string): string[] {
  return [...withinAnswer(world), 'wget', '-q', '-O-', `http://${urlHost(host)}:${PORT}${WHO_PATH}`];
}

/** busybox brackets its clients' addresses, and names IPv4 ones as IPv4-mapped IPv6 addresses. */
function plain(address: string): string {
  return address.replace(/^\[(.*)\]$/, '$1').replace(/^::ffff:/, '');
}

function lastOf(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
