/**
 * V8 makes fast code for the shapes (hidden classes) of the objects that it meets. When a full collection finds no object
 * of a shape, the shape goes, and all code that was made for it: the next thousands of calls are slow, and each of their
 * functions is compiled once more. A thread has many such moments, since it need not hold a future while it collects. So
 * one object of each shape on the way of a task is kept for good. See docs/adr/0017.
 */
const kept: object[] = [];

/** Keeps the code that is made for the likes of `example`, which must hold nothing that is to be collected. */
export function keepShape(...examples: readonly object[]): void {
  kept.push(...examples);
}
