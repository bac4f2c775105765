/** What the pools of the peers run. */
export function noop() {}
