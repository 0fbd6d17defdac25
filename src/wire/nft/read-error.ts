/** What nft says of a transaction that it refused. */

export interface NftError {
  /** Line of the text, counted from 1; undefined if the error is of no line. */
  readonly line?: number;
  /** nft's sentence: 'Could not process rule: No such file or directory'. */
  readonly message: string;
}

const ERROR = /^(?:[^:\n]*:(\d+):\d+(?:-\d+)?: )?Error: (.*)$/gm;

/** One for each error in nft's output. */
export function readErrors(output: string): NftError[] {
  return [...output.matchAll(ERROR)].map(([, line, message = '']) => ({
    ...(line === undefined ? {} : { line: Number(line) }),
    message: message.trim(),
  }));
}
