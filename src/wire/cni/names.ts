/** What may be a container ID, a network's name and an interface's name (CNI spec 1.1.0, "Parameters" and "Configuration format"). */

const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** A file name of libcni's cache has network, container and interface in it; a file name has 255 bytes. */
const LONGEST_ID = 200;

/** IFNAMSIZ less the final NUL. */
const LONGEST_IFNAME = 15;

/** Why the text is no container ID; undefined if it is one. */
export function badContainerId(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.length > LONGEST_ID) return `is longer than ${LONGEST_ID} characters`;
  return ID.test(text)
    ? undefined
    : 'must begin with a letter or digit and hold only letters, digits, "_", "." and "-"';
}

/** Why the text is no network's name; undefined if it is one. */
export function badNetworkName(text: string): string | undefined {
  return badContainerId(text);
}

/** Why the text is no interface's name; undefined if it is one. */
export function badIfname(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.length > LONGEST_IFNAME) return `is longer than ${LONGEST_IFNAME} characters`;
  if (text === '.' || text === '..') return 'must not be "." or ".."';
  if (/[/:\s]/.test(text)) return 'must not hold "/", ":" or white space';
  // The kernel takes bytes; anything outside printable ASCII would be counted and shown differently by each tool.
  return /^[\x21-\x7e]+$/.test(text) ? undefined : 'must be printable ASCII';
}
