/** Order of names as people count: node2 before node10. */

const collator = new Intl.Collator('en', { numeric: true });

export function natural(a: string, b: string): number {
  return collator.compare(a, b);
}
