/** The kinds that are served, found by path and by name: those of the table, and those that objects define meanwhile. */
import { apiVersionOf, type Kind, resourceOf } from '#spec/kinds/kind.ts';
import { KINDS } from '#spec/kinds/table.ts';

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

export class Kinds {
  readonly #table: readonly Kind[];
  readonly #defined = new Map<string, readonly Kind[]>();
  #rows: readonly Kind[] = [];
  #byPath: ReadonlyMap<string, Kind> = new Map();
  #byResource: ReadonlyMap<string, Kind> = new Map();
  #edition = 0;

  constructor(table: readonly Kind[] = KINDS) {
    this.#table = table;
    this.#index();
  }

  /** Grows whenever other kinds are served: what was made of them before is out of date then. */
  get edition(): number {
    return this.#edition;
  }

  all(): readonly Kind[] {
    return this.#rows;
  }

  /** Serves what a definition defines, in place of what it defined before. Nothing replaces the table's rows. */
  define(definition: string, rows: readonly Kind[]): void {
    if (rows.length === 0) this.#defined.delete(definition);
    else this.#defined.set(definition, rows);
    this.#index();
  }

  /** The kind that a path names, undefined if it is not served. */
  find(gv: GroupVersion, plural: string): Kind | undefined {
    return this.#byPath.get(`${apiVersionOf(gv)}/${plural}`);
  }

  /** The kind in whose form the objects of a resource are stored. */
  storing(resource: string): Kind | undefined {
    return this.#byResource.get(resource);
  }

  in(gv: GroupVersion): Kind[] {
    return this.#rows.filter((row) => row.group === gv.group && row.version === gv.version);
  }

  /** Groups with their versions, the preferred version first; core is the group ''. */
  groups(): Map<string, string[]> {
    const groups = new Map<string, string[]>();
    for (const { group, version } of this.#rows) {
      const versions = groups.get(group) ?? [];
      if (!versions.includes(version)) versions.push(version);
      groups.set(group, versions);
    }
    return groups;
  }

  #index(): void {
    const pathOf = (row: Kind): string => `${apiVersionOf(row)}/${row.plural}`;
    const own = new Set(this.#table.map(pathOf));
    const defined = [...this.#defined.values()].flat().filter((row) => !own.has(pathOf(row)));
    this.#rows = [...this.#table, ...defined];
    this.#byPath = new Map(this.#rows.map((row) => [pathOf(row), row]));
    const stored = this.#rows.map((row) => row.storedAs?.kind ?? row);
    this.#byResource = new Map(stored.map((row) => [resourceOf(row), row]));
    this.#edition += 1;
  }
}
