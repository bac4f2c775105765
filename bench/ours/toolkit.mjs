import { threaded, threadedIterable } from "@duck-ts/managers";

export const noop = threaded(() => {});

function* numbers(count) {
  for (let item = 0; item < count; item++) yield item;
}

export const numbersOf1 = threadedIterable(numbers, { maxSize: 1 });
export const numbersOf16 = threadedIterable(numbers, { maxSize: 16 });
export const numbersOf1024 = threadedIterable(numbers, { maxSize: 1024 });
export const numbersUnbounded = threadedIterable(numbers, { maxSize: 0 });
