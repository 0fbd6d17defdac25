/** Input that is unusual, but not wrong. */

import { printed, refused } from '#cni/conformance/answer.ts';
import type { Case } from '#cni/conformance/case.ts';
import { unchanged } from '#cni/conformance/cases/unchanged.ts';
import type { Trial } from '#cni/conformance/trial.ts';

const MEBIBYTE = 2 ** 20;
const DEEP = 100_000;

/** More than any plugin needs to take; how each is made of the text of a sound configuration. */
const EXTREMES = {
  huge: { what: 'of 32 MiB', stdin: (conf: string) => withKey(conf, JSON.stringify('x'.repeat(32 * MEBIBYTE))) },
  deep: {
    what: `with ${DEEP} lists in one another`,
    stdin: (conf: string) => withKey(conf, `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`),
  },
} as const;

function withKey(conf: string, value: string): string {
  return `${conf.slice(0, -1)},"example.com/extreme":${value}}`;
}

export function inputCases(): Case[] {
  const works = (id: string, about: string, options: (trial: Trial) => Parameters<Trial['add']>[1]): Case => ({
    id,
    about,
    async run(trial) {
      await trial.del(await trial.added(options(trial)));
    },
  });
  return [
    works('input.unknown-keys', 'keys that the plugin does not know are ignored', () => ({
      conf: { 'example.com/unknown': { a: [1, null] }, note: 'unknown', args: { cni: { labels: [] } } },
    })),
    works('input.big', 'a configuration of 1 MiB works', () => ({ conf: { 'example.com/big': 'x'.repeat(MEBIBYTE) } })),
    ...Object.entries(EXTREMES).map(
      ([name, { what, stdin }]): Case => ({
        id: `input.${name}`,
        about: `a configuration ${what} works, or is refused with an error object and leaves nothing`,
        async run(trial) {
          await trial.warmUp();
          const pod = await trial.pod();
          await trial.beneath(pod);
          const before = await trial.state(pod);
          const answer = await trial.call('ADD', pod, { stdin: (conf) => stdin(JSON.stringify(conf)) });
          if (answer.exit !== 0) {
            refused(answer);
            return unchanged(trial, before, pod);
          }
          pod.result = printed(answer);
          await trial.del(pod);
        },
      }),
    ),
    works('env.kubernetes-args', 'CNI_ARGS as containerd sends them work', () => ({
      env: {
        CNI_ARGS:
          'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=7d0a',
      },
    })),
    works('env.foreign', 'variables that are not CNI’s change nothing', () => ({
      env: { CNI_FUTURE: 'yes', LANG: 'de_DE.UTF-8', HOME: '/nonexistent', TMPDIR: '/nonexistent' },
    })),
    {
      id: 'env.bad-args',
      about: 'CNI_ARGS that are no KEY=VALUE are refused with an error object, or ignored, and leave nothing',
      async run(trial) {
        await trial.warmUp();
        const pod = await trial.pod();
        await trial.beneath(pod);
        const before = await trial.state(pod);
        const answer = await trial.call('ADD', pod, { env: { CNI_ARGS: 'garbage' } });
        if (answer.exit === 0) return void printed(answer);
        refused(answer);
        await unchanged(trial, before, pod);
      },
    },
  ];
}
