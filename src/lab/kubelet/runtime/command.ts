/** What a container runs: the pod's command and args over the image's entry point and cmd. */

import type { ImageConfig } from '#lab/images/table.ts';
import type { PodContainer } from '#lab/kubelet/pod.ts';
import { expand } from '#lab/kubelet/runtime/expand.ts';

/**
 * The argument vector. A command of the pod replaces the image's entry point and silences its cmd; args replace only
 * the cmd (Kubernetes: "Define a Command and Arguments for a Container").
 */
export function argsOf(
  container: Pick<PodContainer, 'command' | 'args'>,
  image: Pick<ImageConfig, 'entrypoint' | 'cmd'>,
  env: ReadonlyMap<string, string>,
): string[] {
  const put = (words: readonly string[]) => words.map((word) => expand(word, (name) => env.get(name)));
  const command = container.command ?? [];
  const args = container.args ?? [];
  if (command.length > 0) return put([...command, ...args]);
  return [...image.entrypoint, ...(args.length > 0 ? put(args) : image.cmd)];
}
