/** Rows as aligned columns, three spaces apart, as kubectl prints them. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('   ');
  return all.map((row) => `${line(row).trimEnd()}\n`).join('');
}

/** In a frame of `+`, `-` and `|`, headings in the middle, as calicoctl prints them. */
export function boxedTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => (row[column] ?? '').length)));
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+\n`;
  const line = (row: readonly string[], place: (cell: string, width: number) => string) =>
    `|${widths.map((width, i) => ` ${place(row[i] ?? '', width)} `).join('|')}|\n`;
  const left = (cell: string, width: number) => cell.padEnd(width);
  return rule + line(header, centred) + rule + rows.map((row) => line(row, left)).join('') + rule;
}

function centred(cell: string, width: number): string {
  return cell.padStart(cell.length + Math.floor((width - cell.length) / 2)).padEnd(width);
}
