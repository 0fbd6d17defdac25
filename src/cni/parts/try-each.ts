/** For clearing up: what stands behind a failure must not stay because of it. */

/** One after another, each tried. @throws what the first failure said, at the end */
export async function tryEach<T>(items: Iterable<T>, act: (item: T) => Promise<unknown>): Promise<void> {
  const errors: unknown[] = [];
  for (const item of items) {
    try {
      await act(item);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
