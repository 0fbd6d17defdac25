/**
 * Loaded first into each test file's process: what it writes is written before it goes on. Such a process is ended as soon
 * as its last test has, whatever is left open, and to a pipe Node writes later than it says: results of tests that
 * had passed, or failed, were lost by that.
 */

/** libuv's handle: Node has no public way to ask for this. */
const handle: unknown = Reflect.get(process.stdout, '_handle');
if (isBlockable(handle)) handle.setBlocking(true);

function isBlockable(value: unknown): value is { setBlocking(on: boolean): void } {
  return (
    typeof value === 'object' && value !== null && 'setBlocking' in value && typeof value.setBlocking === 'function'
  );
}
