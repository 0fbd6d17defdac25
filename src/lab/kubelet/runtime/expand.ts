/** `$(NAME)` in commands, arguments and values (Kubernetes: third_party/forked/golang/expansion). */

/**
 * Replaces `$(NAME)` by its value, `$$(NAME)` by `$(NAME)`, and leaves what it does not know as it stands.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$';
    return lookup(name) ?? whole;
  });
}
