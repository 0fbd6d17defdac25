/** What CNI spec §"CNI protocol" says of input, output and errors, whatever the plugin does. */

import { printed, refused, shown, succeeded } from '#cni/conformance/answer.ts';
import { type Case, type Facts, RELEASED } from '#cni/conformance/case.ts';
import { need } from '#cni/conformance/outcome.ts';
import type { Pod, Trial, Verb } from '#cni/conformance/trial.ts';

/** Codes of CNI spec §"Error". */
const VERSION_CODE = 1;
const ENVIRONMENT = 4;
const DECODE = 6;
const CONFIG = 7;

export function protocolCases(facts: Facts): Case[] {
  return [...versionCases(facts), ...inputCases(facts), ...missingCases(facts), ...illegalCases()];
}

function versionCases(facts: Facts): Case[] {
  return [
    {
      id: 'version.answer',
      about: 'VERSION prints cniVersion and supportedVersions, a released version of the specification among them',
      async run(trial) {
        const answer = await trial.call('VERSION', undefined);
        const json = printed(answer);
        const list: unknown[] = Array.isArray(json.supportedVersions) ? json.supportedVersions : [];
        need(list.length > 0, 'a list supportedVersions', () => shown(answer));
        need(isVersion(json.cniVersion), 'cniVersion to be a version', () => shown(answer));
        need(list.every(isVersion), 'supportedVersions to be versions', () => shown(answer));
        need(list.some(known), `supportedVersions to have one of ${RELEASED.join(', ')}`, () => shown(answer));
      },
    },
    ...(facts.supported.length < 2 ? [] : [echoed(facts)]),
    {
      id: 'version.unsupported',
      about: 'a cniVersion that it does not support is refused with code 1',
      async run(trial) {
        refused(await fresh(trial, 'ADD', { conf: { cniVersion: '9.9.9' } }), [VERSION_CODE]);
      },
    },
  ];
}

function echoed({ supported }: Facts): Case {
  const older = supported.at(-2) ?? '';
  return {
    id: 'version.echo',
    about: `VERSION prints the cniVersion that was asked with, ${older}`,
    async run(trial) {
      const answer = await trial.call('VERSION', undefined, { conf: { cniVersion: older } });
      need(printed(answer).cniVersion === older, `cniVersion ${older}`, () => shown(answer));
    },
  };
}

/** A later release of the specification than the suite knows is no fault. */
function isVersion(value: unknown): boolean {
  return typeof value === 'string' && /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(value);
}

function known(version: unknown): boolean {
  return RELEASED.some((one) => one === version);
}

function inputCases(facts: Facts): Case[] {
  const bad = {
    'cut-off': '{"cniVersion":',
    words: 'hello',
    empty: '',
    list: '[]',
    trailing: `{"cniVersion":"${facts.newest}","name":"conform"} {}`,
    'wrong-type': '{"cniVersion":"1.0.0","name":17}',
  };
  return [
    ...Object.entries(bad).map(
      ([name, stdin]): Case => ({
        id: `input.${name}`,
        about: `standard input ${stdin === '' ? 'that is empty' : stdin} is refused with code 6`,
        async run(trial) {
          refused(await fresh(trial, 'ADD', { stdin }), name === 'wrong-type' ? [DECODE, CONFIG] : [DECODE]);
        },
      }),
    ),
    {
      id: 'input.no-name',
      about: 'a configuration without name is refused with code 7',
      async run(trial) {
        refused(await fresh(trial, 'ADD', { conf: { name: undefined } }), [CONFIG]);
      },
    },
    {
      id: 'input.bad-name',
      about: 'a network name that does not begin with a letter or digit is refused with code 7',
      async run(trial) {
        refused(await fresh(trial, 'ADD', { conf: { name: '-x/../y' } }), [CONFIG]);
      },
    },
    {
      id: 'error.cniVersion',
      about: `an error object has cniVersion, the one that was asked for (${facts.newest})`,
      async run(trial) {
        const answer = await fresh(trial, 'ADD', { env: { CNI_IFNAME: 'much-too-long-a-name' } });
        const json = refused(answer);
        need(json.cniVersion === facts.newest, `cniVersion ${facts.newest} in the error object`, () => shown(answer));
      },
    },
  ];
}

/** CNI spec §"CNI operations": the required environment of each. */
const REQUIRED: readonly (readonly [Verb, readonly string[]])[] = [
  ['ADD', ['CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME']],
  ['DEL', ['CNI_CONTAINERID', 'CNI_IFNAME']],
  ['CHECK', ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME']],
];

function missingCases(facts: Facts): Case[] {
  return REQUIRED.filter(([verb]) => verb !== 'CHECK' || facts.has('0.4.0')).flatMap(([verb, names]) =>
    names.map(
      (name): Case => ({
        id: `env.${verb}-without-${name}`,
        about: `${verb} without ${name} is refused with code 4, and the message names it`,
        async run(trial) {
          const answer = await fresh(trial, verb, { env: { [name]: undefined } });
          const json = refused(answer, [ENVIRONMENT]);
          const text = `${String(json.msg)} ${String(json.details ?? '')}`;
          need(text.includes(name), `a message that names ${name}`, () => shown(answer));
        },
      }),
    ),
  );
}

const BAD_IDS = {
  slash: 'a/b',
  'leading-dash': '-a',
  'leading-dot': '.a',
  blank: 'a b',
  newline: 'a\nb',
  parent: '../../etc/x',
};
const BAD_IFNAMES = { 'too-long': 'x'.repeat(16), dot: '.', 'dot-dot': '..', slash: 'a/b', colon: 'a:b', blank: 'a b' };

function illegalCases(): Case[] {
  const one =
    (kind: string, variable: string) =>
    ([name, value]: [string, string]): Case => ({
      id: `env.${kind}-${name}`,
      about: `${variable}=${JSON.stringify(value)} is refused with code 4`,
      async run(trial) {
        refused(await fresh(trial, 'ADD', { env: { [variable]: value } }), [ENVIRONMENT]);
      },
    });
  return [
    {
      id: 'env.unknown-command',
      about: 'CNI_COMMAND=DANCE is refused with code 4',
      async run(trial) {
        refused(await fresh(trial, 'ADD', { env: { CNI_COMMAND: 'DANCE' } }), [ENVIRONMENT]);
      },
    },
    ...Object.entries(BAD_IDS).map(one('containerid', 'CNI_CONTAINERID')),
    ...Object.entries(BAD_IFNAMES).map(one('ifname', 'CNI_IFNAME')),
  ];
}

/** DEL of what never was must succeed. */
export function unknownCases(): Case[] {
  return [
    {
      id: 'del.unknown',
      about: 'DEL of a container that was never added succeeds and prints nothing',
      async run(trial) {
        const pod = await trial.pod();
        // What all pods share may come with the first call.
        succeeded(await trial.call('DEL', await trial.pod()));
        const before = await trial.state(pod);
        const answer = succeeded(await trial.call('DEL', pod));
        need(answer.stdout.trim() === '', 'nothing on standard output', () => shown(answer));
        const left = await trial.changed(before, pod);
        need(left.length === 0, 'nothing to change', () => left.join('\n'));
      },
    },
  ];
}

/** A call for a pod that nothing was done to. */
async function fresh(trial: Trial, verb: Verb, options: Parameters<Trial['call']>[2]) {
  const pod: Pod = await trial.pod();
  // No plugin runs before ours here: what is wrong is to be seen first.
  return trial.call(verb, pod, { prev: null, ...options });
}
