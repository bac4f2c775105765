/** What the pools of the peers run. */
export function noop() {}

export function length(bytes) {
  return bytes.byteLength;
}
