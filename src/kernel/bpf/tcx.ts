/** Programs attached to the interface itself (tcx, Linux 6.6): nothing is lost while they come, change or go. */

import type { Hook, Place } from '#kernel/bpf/hook.ts';
import {
  type Attached,
  attachedPrograms,
  attachProgram,
  detachProgram,
  loadProgram,
  type TcxPlace,
} from '#kernel/ffi/bpf.ts';
import { SystemError } from '#kernel/ffi/errno.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';

/** What our programs' names begin with; eight digits follow, which makes the 15 letters that the kernel keeps. */
const OWN = 'pd_ipip';
const PARENTS = ['ingress', 'egress'] as const;
/** Interfaces that go while they are looked at have no programs. */
const GONE = new Set(['ENODEV']);
/** Index of `lo`, in every namespace. */
const LOOPBACK = 1;

export const TCX: Hook = {
  places(netlink) {
    return netlink
      .links()
      .flatMap(({ name, index }) =>
        PARENTS.filter((parent) => own(index, parent).length > 0).map((parent): Place => ({ link: name, parent })),
      );
  },

  put(netlink, { link, parent, digest, instructions }) {
    const index = netlink.find(link)?.index;
    if (index === undefined) return;
    const [there, ...more] = own(index, parent);
    for (const each of more) detachProgram(each, index, parent);
    const name = `${OWN}${digest}`;
    if (there?.name === name) return;
    const program = loadProgram(name, instructions);
    try {
      attachProgram(program, index, parent, there);
    } finally {
      closeFd(program);
    }
  },

  clear(netlink, { link, parent }) {
    const index = netlink.find(link)?.index;
    if (index !== undefined) for (const each of own(index, parent)) detachProgram(each, index, parent);
  },
};

/** Whether this kernel has it. */
export function hasTcx(): boolean {
  try {
    attachedPrograms(LOOPBACK, 'ingress');
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

function own(index: number, parent: TcxPlace): Attached[] {
  try {
    return attachedPrograms(index, parent).filter(({ name }) => name.startsWith(OWN));
  } catch (error) {
    if (error instanceof SystemError && GONE.has(error.code)) return [];
    throw error;
  }
}
