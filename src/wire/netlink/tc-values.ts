/**
 * Traffic control as values: queueing disciplines, classes, filters. Rates are bytes per second, as the kernel has them
 * (tc's `bps`); a configuration in bits per second is divided by eight, rounding down. Source: linux/pkt_sched.h, pkt_cls.h.
 */

/** `major:minor`, 16 bits each, as one number. */
export type TcId = number;

export function tcId(major: number, minor = 0): TcId {
  return ((major << 16) | minor) >>> 0;
}

export type QdiscInfo =
  | {
      readonly kind: 'tbf';
      /** Bytes per second. */
      readonly rate: number;
      /** Bytes that may go at once. Read back it is rounded to what 64 ns pass: compare with `sameBurst`. */
      readonly burst: number;
      /** Bytes that may wait. */
      readonly limit: number;
    }
  /** Where filters stand on what comes in. */
  | { readonly kind: 'ingress' }
  /** Where filters stand on what comes in and what goes out, `egress` being its second parent. */
  | { readonly kind: 'clsact' }
  | {
      readonly kind: 'htb';
      /** Minor number of the class of what no filter names; 0: unshaped. */
      readonly defaultClass: number;
    }
  /** One that has no row in the codec's table: `noqueue`, `fq_codel`, …. */
  | { readonly kind: 'other'; readonly name: string };

export interface Qdisc {
  readonly link: string;
  /** Absent: the root, or of `ingress` and `clsact` the place of their own. */
  readonly parent?: TcId;
  /** Absent when it is made: the kernel chooses. `ingress` and `clsact` have theirs always. */
  readonly handle?: TcId;
  readonly info: QdiscInfo;
}

/** A class of an htb. */
export interface TcClass {
  readonly link: string;
  /** The qdisc, or the class above. */
  readonly parent: TcId;
  readonly id: TcId;
  /** Bytes per second that it has, and at most gets when others leave some. */
  readonly rate: number;
  readonly ceil: number;
  /** Bytes, at `rate` and at `ceil`; see `sameBurst`. */
  readonly burst: number;
  readonly ceilBurst: number;
}

/** One 32-bit word of a packet, counted from its network header. */
export interface U32Key {
  readonly value: number;
  readonly mask: number;
  /** Bytes, a multiple of 4. */
  readonly at: number;
}

export type FilterMatch =
  | { readonly kind: 'matchall' }
  /** All keys must fit; none: everything fits. */
  | { readonly kind: 'u32'; readonly keys: readonly U32Key[] }
  /**
   * An eBPF program, whose verdict is the filter's (direct action). `name` stands for what it is; the descriptor of the
   * loaded program is needed only to attach it, and is not read back.
   */
  | { readonly kind: 'bpf'; readonly name: string; readonly program?: number }
  /** Another classifier, which is not read further. */
  | { readonly kind: 'other'; readonly name: string };

export type FilterAction =
  /** Sends it out of the interface, as if it had been made for it. */
  { readonly kind: 'redirect'; readonly to: string } | { readonly kind: 'drop' } | { readonly kind: 'pass' };

export interface Filter {
  readonly link: string;
  /** Of what comes in (under `ingress` or `clsact`), of what goes out (under `clsact`), or of a qdisc with classes. */
  readonly parent: 'ingress' | 'egress' | TcId;
  /** 1 to 65535, lower comes first. One number has one protocol and one classifier. */
  readonly priority: number;
  readonly protocol: 'all' | 'ip' | 'ipv6' | 'arp';
  readonly match: FilterMatch;
  /** The class that it leads into. */
  readonly class?: TcId;
  readonly action?: FilterAction;
  /** The kernel's number of it. */
  readonly handle?: number;
}

/**
 * `del` of a filter without a handle deletes all of its priority. `replace` of one changes the one of that handle; `u32` without a handle gets another one of
 * that priority.
 */
export type TcOp =
  | { readonly op: 'qdisc.add' | 'qdisc.replace' | 'qdisc.del'; readonly qdisc: Qdisc }
  | { readonly op: 'class.add' | 'class.replace' | 'class.del'; readonly class: TcClass }
  | { readonly op: 'filter.add' | 'filter.replace' | 'filter.del'; readonly filter: Filter };
