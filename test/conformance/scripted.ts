/** A plugin that makes a veth, as a script: good enough to pass. */

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Descriptor } from '#cni/conformance/descriptor.ts';

/** What of it may be otherwise. */
export interface Flaws {
  readonly before?: string;
  readonly version?: string;
  /** What VERSION lists, as JSON. */
  readonly supported?: string;
  readonly del?: string;
  readonly onError?: string;
}

export function script({
  before = '',
  version = '$v',
  supported = '"1.0.0"',
  del = 'ip link del "h$short" 2>/dev/null',
  onError = 'exit 1',
}: Flaws): string {
  return `#!/bin/sh
conf=$(cat)
v=$(printf '%s' "$conf" | sed -n 's/.*"cniVersion":"\\([^"]*\\)".*/\\1/p' | head -n 1)
fail() { printf '{"cniVersion":"%s","code":%s,"msg":"%s"}' "$v" "$1" "$2"; ${onError}; }
${before}
[ "$CNI_COMMAND" = VERSION ] && { printf '{"cniVersion":"1.0.0","supportedVersions":[${supported}]}'; exit 0; }
[ "$v" = 1.0.0 ] || fail 1 "unsupported version"
short=$(printf '%s' "$CNI_CONTAINERID" | cksum | cut -d' ' -f1)
case "$CNI_COMMAND" in
ADD)
  [ -e "$CNI_NETNS" ] || fail 8 "no CNI_NETNS"
  [ "$(stat -Lc %i "$CNI_NETNS")" = "$(stat -Lc %i /proc/self/ns/net)" ] && fail 8 "CNI_NETNS is the node's own"
  ip link add "h$short" type veth peer name "$CNI_IFNAME" netns "$CNI_NETNS" 2>/dev/null || fail 11 "cannot make a veth"
  ip link set "h$short" up
  nsenter --net="$CNI_NETNS" ip link set "$CNI_IFNAME" up
  printf '{"cniVersion":"%s","interfaces":[{"name":"%s","sandbox":"%s"}]}' "${version}" "$CNI_IFNAME" "$CNI_NETNS"
  ;;
DEL)
  ${del}
  exit 0
  ;;
CHECK) nsenter --net="$CNI_NETNS" ip link show dev "$CNI_IFNAME" >/dev/null 2>&1 || fail 3 "no interface" ;;
*) fail 4 "CNI_COMMAND is wrong" ;;
esac
`;
}

export const DESCRIPTOR: Descriptor = {
  type: 'scripted',
  kind: 'main',
  conf: {},
  effects: [
    {
      say: 'a veth in the pod',
      in: 'pod',
      tool: 'addr',
      has: { ifname: '{ifname}', flags: ['UP'], linkinfo: { info_kind: 'veth' } },
    },
  ],
  tampers: [{ say: 'interface-gone', in: 'pod', run: ['ip', 'link', 'del', '{ifname}'] }],
};

export function putScript(dir: string, name: string, text: string): void {
  const path = join(dir, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}
