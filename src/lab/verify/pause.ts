/** M6: pause holds the namespaces, is PID 1, reaps; containers restart and the pod keeps its address. */

import { type Claim, type Finding, holds } from '#lab/verify/claim.ts';
import { PORT, type TrialPod, urlHost, WHO_PATH, type World, whenPod } from '#lab/verify/world.ts';

export const PAUSE: Claim = {
  id: 'M6',
  async try(world) {
    const [pod] = world.pods;
    const first = (await world.exec(pod, 'side', ['cat', '/proc/1/comm'])).stdout.trim();
    if (first !== 'pause') return holds(`PID 1 of the pod is ${first}, not pause`, '');
    const zombies = await leftZombies(world, pod);
    if (zombies !== '') return holds(`pause left zombies: ${zombies}`, '');
    return restart(world, pod);
  },
};

/**
 * An orphan dies; whoever is PID 1 must take its status. On a busy machine that takes a moment: only what stays a zombie
 * counts, for 5 s. Prints their files.
 */
const ORPHAN = `sh -c 'sleep 0.05 &'
sleep 0.3
dead() { for s in /proc/[0-9]*/stat; do grep -l ') Z ' $s; done 2>/dev/null; }
n=0
while left=$(dead); [ -n "$left" ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
echo "$left"`;

async function leftZombies(world: World, pod: TrialPod): Promise<string> {
  return (await world.exec(pod, 'side', ['sh', '-c', ORPHAN])).stdout.trim();
}

async function restart(world: World, pod: TrialPod): Promise<Finding> {
  const before = await netnsOf(world, pod);
  await world.exec(pod, 'web', ['sh', '-c', 'kill -9 $(cat /tmp/pid)']);
  const after = await whenPod(world, pod.name, ({ status }) => {
    const web = status?.containerStatuses?.find(({ name }) => name === 'web');
    return (web?.restartCount ?? 0) > 0 && web?.ready === true;
  });
  const ip = after.status?.podIP;
  if (ip !== pod.ip) return holds(`the pod had ${pod.ip}, after a container's restart it has ${ip}`, '');
  if ((await netnsOf(world, pod)) !== before) return holds('the restarted pod is in another network namespace', '');
  const [, other] = world.pods;
  const got = await world.exec(other, 'side', ['wget', '-q', '-O-', `http://${urlHost(pod.ip)}:${PORT}${WHO_PATH}`]);
  return holds(
    got.code === 0 ? undefined : `after the restart ${pod.ip} does not answer`,
    `pause is PID 1 and left no zombie; container "web" was killed and restarted, the pod kept ${pod.ip} and ${before}`,
  );
}

async function netnsOf(world: World, pod: TrialPod): Promise<string> {
  return (await world.exec(pod, 'side', ['readlink', '/proc/self/ns/net'])).stdout.trim();
}
