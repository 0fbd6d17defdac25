/** The cases of a plugin, in the order in which they are told. */

import type { Case, Facts } from '#cni/conformance/case.ts';
import { addCases } from '#cni/conformance/cases/add.ts';
import { checkCases } from '#cni/conformance/cases/check.ts';
import { delCases } from '#cni/conformance/cases/del.ts';
import { newVerbCases } from '#cni/conformance/cases/gc.ts';
import { loadCases } from '#cni/conformance/cases/load.ts';
import { protocolCases, unknownCases } from '#cni/conformance/cases/protocol.ts';
import { specialCases } from '#cni/conformance/cases/special.ts';
import { trafficCases } from '#cni/conformance/cases/traffic.ts';
import { resultCase, versionCases } from '#cni/conformance/cases/versions.ts';

export function casesOf(facts: Facts): Case[] {
  const { protocolOnly } = facts.subject;
  const working = [
    ...versionCases(facts),
    resultCase(facts),
    ...addCases(facts),
    ...unknownCases(),
    ...delCases(facts),
    ...checkCases(facts),
    ...newVerbCases(facts),
    ...trafficCases(facts),
    ...loadCases(facts),
    ...specialCases(facts),
  ];
  return [
    ...protocolCases(facts),
    ...(protocolOnly === undefined ? working : working.map((one) => ({ ...one, skip: protocolOnly }))),
  ];
}
