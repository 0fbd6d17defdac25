/** All plugin types that the suite knows by itself. */

import type { Descriptor } from '#cni/conformance/descriptor.ts';
import { DELEGATING } from '#cni/conformance/descriptors/delegating.ts';
import { IPAM } from '#cni/conformance/descriptors/ipam.ts';
import { MAIN } from '#cni/conformance/descriptors/main.ts';
import { META } from '#cni/conformance/descriptors/meta.ts';

export const DESCRIPTORS: readonly Descriptor[] = [...MAIN, ...DELEGATING, ...IPAM, ...META];
