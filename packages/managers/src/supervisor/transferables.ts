/** Everything in a task's arguments that moves when they are posted on. */
export function transferables(args: readonly unknown[]): never[] {
  const found: unknown[] = [];
  const seen = new Set<unknown>();
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (value instanceof ArrayBuffer) found.push(value);
    else if (ArrayBuffer.isView(value)) walk(value.buffer);
    else if (
      typeof (value as { postMessage?: unknown }).postMessage === "function" ||
      value instanceof ReadableStream ||
      value instanceof WritableStream ||
      value instanceof TransformStream
    )
      found.push(value);
    else if (value instanceof Map)
      for (const [k, v] of value) {
        walk(k);
        walk(v);
      }
    else if (value instanceof Set) for (const v of value) walk(v);
    else for (const inner of Object.values(value)) walk(inner);
  };
  walk(args);
  return found as never[];
}
