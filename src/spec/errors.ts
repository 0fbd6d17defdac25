/**
 * The registry of errors that people meet: a stable code, one sentence, what to do about it, and the numbers that
 * callers see (exit status of the CLI, code of the CNI specification §Error). `docs/errors.md` is generated from it.
 */

export interface ErrorRow {
  /** One sentence; `{name}` is filled from the error's details. */
  readonly sentence: string;
  /** What the reader can do about it. */
  readonly todo: string;
  /** Exit status of the command that stops with it. */
  readonly exit: number;
  /** CNI result code, where a plugin can say it (CNI spec 1.1.0, "Error": 1-99 are the spec's, 100+ the plugin's own). */
  readonly cni?: number;
}

export const ERRORS = {
  usage: {
    sentence: '{what}',
    todo: 'Run the command with --help to see what it takes.',
    exit: 2,
  },
  'not-root': {
    sentence: 'This needs root: it makes network namespaces and mounts.',
    todo: 'Run it again with sudo.',
    exit: 3,
  },
  'kernel-feature-missing': {
    sentence: 'The kernel has no {feature}{detail}.',
    todo: 'Load or build the module, or choose a profile that does not need it.',
    exit: 4,
    cni: 100,
  },
  'kernel-refused': {
    sentence: 'The kernel refused `{command}`: {reason}.',
    todo: 'Look at the object that the line names; `dmesg` may say more.',
    exit: 5,
    cni: 101,
  },
  'cidr-invalid': {
    sentence: '{what}',
    todo: 'Give networks such as 10.244.0.0/16, with host bits zero and without overlap.',
    exit: 6,
    cni: 7,
  },
  'file-invalid': {
    sentence: '{file}: {what}',
    todo: 'Correct the file and run the command again; nothing was changed.',
    exit: 7,
    cni: 6,
  },
  'port-in-use': {
    sentence: 'Port {port} on {address} is in use{by}.',
    todo: 'Choose another with --api-port, or end the program that holds it.',
    exit: 8,
  },
  'no-lab': {
    sentence: 'There is no lab named "{lab}".',
    todo: 'Make it with `polder lab up --name {lab}`, or see which there are with `polder lab list`.',
    exit: 9,
  },
  'lab-name-in-use': {
    sentence: 'Lab "{lab}" is being changed by another command{by}.',
    todo: 'Wait until it has ended, or choose another name with --name.',
    exit: 10,
  },
  'no-node': {
    sentence: 'Lab "{lab}" has no node "{node}"; it has {nodes}.',
    todo: 'Use one of these names, or add the node with `polder lab node add {node}`.',
    exit: 11,
  },
  'lab-not-ready': {
    sentence: 'Lab "{lab}" did not become ready: {what}.',
    todo: 'See `polder lab logs {program} --name {lab}`; `polder lab up` tries again, `polder lab down` removes everything.',
    exit: 12,
  },
  'lab-differs': {
    sentence: 'Lab "{lab}" is there already, with {what}.',
    todo: 'Use another --name, or remove it first with `polder lab down --name {lab}`.',
    exit: 13,
  },
  'profile-apart': {
    sentence: '{why}',
    todo: 'Nothing was changed. See `polder profile list` for the profiles that this cluster can change to, or make a new one.',
    exit: 90,
  },
  'profile-silent': {
    sentence: 'The agents of {nodes} have not said by which ways they take packets.',
    todo: 'Nothing was changed. See that they run and are of this version, or delete the Nodes that are gone for good.',
    exit: 91,
  },
  'profile-unfinished': {
    sentence: 'Not all nodes go by the new profile yet: {nodes}.',
    todo: 'Packets go on by the old way to and from these; the change ends by itself when they are back (`polder profile show`).',
    exit: 92,
  },
  'no-settings': {
    sentence: 'The cluster has no settings of Polder that can be read: {why}.',
    todo: 'Make or mend the ConfigMap kube-system/polder-config (docs/configuration.md).',
    exit: 93,
  },
  'api-unreachable': {
    sentence: 'The cluster’s API does not answer: {reason}.',
    todo: 'See `polder lab status`; `polder lab up` brings up again what is down.',
    exit: 14,
  },
  'pod-not-ready': {
    sentence: 'Pod {pod} does not become ready: {how}.',
    todo: 'See `kubectl describe pod` and `polder lab logs NODE/kubelet`.',
    exit: 15,
  },
  'program-missing': {
    sentence: '{needs} needs the program {program}, which is not installed.',
    todo: 'Install the Debian package {package}, or choose a profile that does not need it.',
    exit: 16,
  },
  'cni-version': {
    sentence: 'CNI version {version} is not supported by the plugin {plugin}.',
    todo: 'Set cniVersion to one of {supported}.',
    exit: 20,
    cni: 1,
  },
  'cni-container-unknown': {
    sentence: 'Container {container} has no interface {ifname} in network {network}.',
    todo: 'Run ADD first; nothing is to be cleaned up.',
    exit: 21,
    cni: 3,
  },
  'cni-environment': {
    sentence: '{what}',
    todo: 'Correct the CNI_* variables that the sentence names.',
    exit: 22,
    cni: 4,
  },
  'cni-io': {
    sentence: '{what}',
    todo: 'Look at the file system and at the log of the agent.',
    exit: 23,
    cni: 5,
  },
  'cni-in-use': {
    sentence: '{count} attachments are noted in {dir}, {first} among them: without its plugins their DEL would fail.',
    todo: 'End these pods first, or say --force if the notes are old or other plugins take over.',
    exit: 48,
  },
  'cni-decode': {
    sentence: '{what}',
    todo: 'Standard input is one JSON object: the network configuration.',
    exit: 24,
    cni: 6,
  },
  'cni-config': {
    sentence: 'Invalid network configuration: {what}',
    todo: 'Correct the key that the sentence names.',
    exit: 25,
    cni: 7,
  },
  'cni-netns': {
    sentence: 'Cannot use network namespace {path}: {what}.',
    todo: 'Give the path of a network namespace that exists and is not the node’s own.',
    exit: 26,
    cni: 8,
  },
  'cni-try-later': {
    sentence: '{what}',
    todo: 'Try again later.',
    exit: 27,
    cni: 11,
  },
  'cni-not-available': {
    sentence: '{what}',
    todo: 'Wait until the agent has read the cluster’s settings, or look at its log.',
    exit: 28,
    cni: 50,
  },
  'addresses-exhausted': {
    sentence: 'No free address in {cidr}: {used} in use, {resting} resting{until}.',
    todo: 'Delete pods of this node, shorten the resting time, or give the node a larger CIDR.',
    exit: 29,
    cni: 11,
  },
  'address-outside': {
    sentence: 'Cannot give address {address}: it is not a usable address of {cidr}.',
    todo: 'Ask for an address inside of it; of a node CIDR neither the first two nor the last can be given.',
    exit: 30,
    cni: 7,
  },
  'address-taken': {
    sentence: 'Cannot give address {address}: {holder} has it.',
    todo: 'Ask for another address, or delete its holder first.',
    exit: 31,
    cni: 110,
  },
  'pool-unusable': {
    sentence: 'Pool {pool}, which {who} asks for, cannot be used: {why}.',
    todo: 'Name a pool that `kubectl get ippools` shows, that is enabled and whose selectors match; see docs/ipam.md.',
    exit: 43,
    cni: 7,
  },
  'address-strict': {
    sentence:
      'Cannot give address {address}: its block {block} belongs to {owner}, and strictAffinity forbids borrowing.',
    todo: 'Run the pod on that node, ask for another address, or set strictAffinity to false in the IPAMConfiguration.',
    exit: 44,
    cni: 114,
  },
  'annotation-invalid': {
    sentence: 'Annotation {annotation} of {who} is "{value}": {what}.',
    todo: 'Write a JSON list of texts, such as ["10.244.1.100"] or ["default-ipv4-ippool"].',
    exit: 45,
    cni: 7,
  },
  'address-living': {
    sentence: 'Address {address} is not taken back: {who} has it.',
    todo: 'Delete the pod: its address then comes back by itself.',
    exit: 56,
  },
  'address-not-leaked': {
    sentence: 'Address {address} is not taken back: {who} has it, and nothing says that it is leaked.',
    todo: 'See `polder ipam show --ip={address}` and `polder ipam check`; --force takes it all the same.',
    exit: 57,
  },
  'cni-attached': {
    sentence: 'Container {container} already has an interface {ifname}.',
    todo: 'Run DEL first, or choose another CNI_IFNAME.',
    exit: 32,
    cni: 111,
  },
  'cni-check': {
    sentence: 'The network of container {container} is not as ADD left it: {what}.',
    todo: 'Make the pod anew; its network was changed from outside.',
    exit: 33,
    cni: 112,
  },
  'host-port-taken': {
    sentence: 'Cannot map port {port} of the node: container {holder} has it.',
    todo: 'Ask for another port, or run DEL for that container first.',
    exit: 38,
    cni: 113,
  },
  'dhcp-no-answer': {
    sentence: 'No DHCP server answered on {ifname} within {seconds} s.',
    todo: 'Look whether a server hears that segment (`tcpdump -ni LINK port 67`) and has addresses left, then try again.',
    exit: 39,
    cni: 11,
  },
  'dhcp-refused': {
    sentence: 'The DHCP server {server} refused {ifname} an address{why}.',
    todo: 'Look at the server’s log: its ranges and reservations decide.',
    exit: 46,
    cni: 114,
  },
  'dhcp-unusable': {
    sentence: 'Cannot use the answer of the DHCP server {server}: it {what}.',
    todo: 'Correct the server’s configuration.',
    exit: 47,
    cni: 115,
  },
  'cni-plugin-missing': {
    sentence: 'There is no CNI plugin {plugin} in {dirs}.',
    todo: 'Install the plugin there, or correct "type" in the network configuration.',
    exit: 34,
    cni: 5,
  },
  'cni-plugin-failed': {
    sentence: 'CNI plugin {plugin} failed at {command}: {what}',
    todo: 'The plugin’s own words are in the sentence; its documentation lists them.',
    exit: 35,
  },
  'cni-network-missing': {
    sentence: 'There is no usable CNI network{name} in {dir}{why}.',
    todo: 'Put a .conflist there; `polder lab up` writes one for each node.',
    exit: 36,
  },
  'journal-damaged': {
    sentence: 'The address journal {file} is damaged at line {line}.',
    todo: 'Move it away only when no pod runs on this node: it says which addresses are in use.',
    exit: 37,
    cni: 5,
  },
  'store-newer': {
    sentence: 'The API store {file} was written by a newer Polder (its schema is {found}, this one knows {known}).',
    todo: 'Use that newer version, or begin a new cluster with another name; nothing was changed.',
    exit: 40,
  },
  'store-in-use': {
    sentence: 'The API store {file} is held by another process.',
    todo: 'Only one API server may use a data directory; end the other one first.',
    exit: 41,
  },
  'store-unreadable': {
    sentence: 'Cannot open the API store {file}: {reason}.',
    todo: 'Look at the file and its rights; restore a copy or remove it to begin anew.',
    exit: 42,
  },
  'backup-unusable': {
    sentence: 'Cannot use {file} as a backup of the API: {reason}.',
    todo: 'Take one that `polder api backup` has written; nothing was changed.',
    exit: 75,
  },
  'backup-there': {
    sentence: '{file} is there already.',
    todo: 'Choose another name, or say --force to replace it.',
    exit: 76,
  },
  'store-full': {
    sentence: 'Cannot write to the API store {file}: its disk is full.',
    todo: 'Make room; nothing was changed, and writes go on by themselves.',
    exit: 74,
  },
  'no-bgp': {
    sentence: '{who} BGP.',
    todo: 'Make a lab whose nodes do with `polder lab up --profile calico-bgp`.',
    exit: 77,
  },
  'bird-away': {
    sentence: 'BIRD does not run on node {node}: {why}',
    todo: 'Its log is bird/bird.log in the agent’s state folder; `polder bgp status` shows when it is back.',
    exit: 78,
  },
  'runtime-missing': {
    sentence: 'There is no container runtime on this machine: neither runc nor crun works.',
    todo: 'Install one: apt-get install runc.',
    exit: 50,
  },
  'image-invalid': {
    sentence: '{file} is no image that can be loaded: {what}.',
    todo: 'Give a tar made by `docker save` or an OCI image layout; nothing was changed.',
    exit: 51,
  },
  internal: {
    sentence: '{what}',
    todo: 'This is a bug in Polder; please report it with the lines above.',
    exit: 70,
    cni: 999,
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** An error for a person: from the registry, with its details filled in. */
export class PolderError extends Error {
  override readonly name = 'PolderError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, details: Readonly<Record<string, string | number>> = {}, options?: ErrorOptions) {
    super(fill(ERRORS[code].sentence, details), options);
    this.code = code;
    this.details = details;
  }

  /** The registry's row. */
  get row(): ErrorRow {
    return ERRORS[this.code];
  }

  /** What the reader can do about it, with the details filled in. */
  get todo(): string {
    return fill(ERRORS[this.code].todo, this.details);
  }
}

function fill(sentence: string, details: Readonly<Record<string, string | number>>): string {
  return sentence.replace(/\{(\w+)\}/g, (_, key: string) => String(details[key] ?? ''));
}
