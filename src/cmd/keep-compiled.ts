/** What Node compiled at this start, kept for the next. */

import { flushCompileCache } from 'node:module';

/**
 * Node writes its compile cache (NODE_COMPILE_CACHE) only at a clean exit, and the lab's programs mostly end by being
 * killed. Without the cache each start would strip the types anew: 20 MB more of memory in every agent, and twice the
 * time. Called once all modules are loaded; writes only what is not in the cache yet.
 */
export function keepCompiled(): void {
  flushCompileCache();
}
