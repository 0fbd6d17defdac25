/** The kinds that are served, found by path and by name. */
import { apiVersionOf, type Kind } from '#spec/kinds/kind.ts';
import { KINDS } from '#spec/kinds/table.ts';

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

export class Kinds {
  readonly #rows: readonly Kind[];
  readonly #byPath: ReadonlyMap<string, Kind>;

  constructor(rows: readonly Kind[] = KINDS) {
    this.#rows = rows;
    this.#byPath = new Map(rows.map((row) => [`${apiVersionOf(row)}/${row.plural}`, row]));
  }

  all(): readonly Kind[] {
    return this.#rows;
  }

  /** The kind that a path names, undefined if it is not served. */
  find(gv: GroupVersion, plural: string): Kind | undefined {
    return this.#byPath.get(`${apiVersionOf(gv)}/${plural}`);
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
}
