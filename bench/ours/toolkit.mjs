import { threaded, threadedIterable } from "@duck-ts/managers";
import { itemOf } from "../harness/items.mjs";

export const noop = threaded(() => {});

function* numbers(count) {
  for (let item = 0; item < count; item++) yield item;
}

export const numbersOf1 = threadedIterable(numbers, { maxSize: 1 });
export const numbersOf16 = threadedIterable(numbers, { maxSize: 16 });
export const numbersOf1024 = threadedIterable(numbers, { maxSize: 1024 });
export const numbersUnbounded = threadedIterable(numbers, { maxSize: 0 });

export const nested1024 = threadedIterable(
  function* (count) {
    for (let item = 0; item < count; item++) yield itemOf.nested(item);
  },
  { maxSize: 1024 },
);
