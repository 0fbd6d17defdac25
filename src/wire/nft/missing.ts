/** What nft's words say about features that a kernel lacks. */

import type { NftOp, Statement } from '#wire/nft/values.ts';

const UNSUPPORTED = /Operation not supported|Protocol not supported|Address family not supported/;
const NOT_FOUND = /No such file or directory/;

/** Modules that statements need, by the statement's own word. */
const MODULES = new Map([
  ['masquerade', 'nft_masq'],
  ['redirect', 'nft_redir'],
  ['snat', 'nft_nat'],
  ['dnat', 'nft_nat'],
  ['limit', 'nft_limit'],
  ['log', 'nft_log'],
  ['reject', 'nft_reject'],
  ['notrack', 'nft_ct'],
]);

/**
 * The feature that the kernel lacks, if that is why it refused the operation: the kernel says of a missing module the
 * same as of a missing chain or set, so a rule counts only if it names neither.
 */
export function missingNftFeature(op: NftOp, message: string): string | undefined {
  if (UNSUPPORTED.test(message)) return 'rule' in op ? `nftables (${modulesOf(op.rule.expr)})` : 'nftables';
  if (!NOT_FOUND.test(message) || !('rule' in op)) return undefined;
  const named = JSON.stringify(op.rule.expr);
  if (named.includes('"@') || named.includes('"target"')) return undefined;
  const modules = modulesOf(op.rule.expr);
  return modules === '' ? undefined : `nftables module ${modules}`;
}

function modulesOf(statements: readonly Statement[]): string {
  const modules = statements.flatMap((statement) => Object.keys(statement).map((word) => MODULES.get(word) ?? ''));
  return modules.filter((module) => module !== '').join(', ');
}
