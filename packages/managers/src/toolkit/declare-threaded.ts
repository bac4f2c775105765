import { declareTask } from "@duck-ts/runtime/internal";
import {
  type AnyFunction,
  type DeclareOptions,
  isGenerator,
  makeIterable,
  makeThreaded,
  refuseAsync,
} from "./declaration.ts";
import { checkNames, placeOf, type SeparateOptions } from "./executor.ts";
import { ITERABLE_OPTIONS, type IterableOptions } from "./threaded-iterator.ts";

/** What any of the declaring functions takes beside the function. */
type Given = DeclareOptions & IterableOptions & Pick<SeparateOptions, "detach">;

/** Which of them was called, by what name, and what it makes. */
export type Declarer = {
  readonly declare: (...args: never[]) => unknown;
  readonly where: string;
  readonly separate: boolean;
  /** Whether it makes an iterable of any function, not only of generators. */
  readonly iterable: boolean;
};

/** What `threaded`, `threadedIterable` and their separate forms have in common: all but their types. */
export function declareThreaded(
  fn: unknown,
  options: unknown,
  { declare, where, separate, iterable }: Declarer,
): unknown {
  refuseAsync(fn, `${where}()`);
  const makesIterable = iterable || isGenerator(fn as AnyFunction);
  const known = ["url", "name", ...(separate ? ["detach"] : []), ...(makesIterable ? ITERABLE_OPTIONS : [])];
  checkNames(options as object, known, where);
  const { maxSize, closeTimeoutMs, detach, ...named } = options as Given;
  const place = placeOf(separate, detach === undefined ? {} : { detach }, where);
  const body = fn as (...args: unknown[]) => unknown;
  const task = declareTask(body, named, declare as typeof declareTask);
  if (!makesIterable) return makeThreaded(task, body, place, where);
  return makeIterable(
    task as never,
    body as (...args: unknown[]) => Iterable<unknown>,
    place,
    { maxSize, closeTimeoutMs },
    where,
  );
}
