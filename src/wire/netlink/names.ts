/** Interfaces are names in values and indices in messages: who encodes or decodes needs both ways. */

export interface NameToIndex {
  /** @throws NoSuchLink */
  indexOf(name: string): number;
}

export interface IndexToName {
  /** Undefined if no interface has this index (any more). */
  nameOf(index: number): string | undefined;
}

/** An operation names an interface that does not exist. */
export class NoSuchLink extends Error {
  override readonly name = 'NoSuchLink';
  readonly link: string;

  constructor(link: string) {
    super(`no interface "${link}"`);
    this.link = link;
  }
}
