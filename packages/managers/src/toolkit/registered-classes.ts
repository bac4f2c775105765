/** Classes whose instances' methods can run in other threads. */
import { TaskDeclarationError } from "@duck-ts/runtime";
import { declareTask, type Task, threadWide } from "@duck-ts/runtime/internal";
import { ReviveHookNeeded } from "../errors.ts";

/** Any class, abstract ones included. */
export type AnyClass<T extends object = object> = abstract new (...args: never[]) => T;

/** How an instance gets to another thread, where its own fields do not say it all. */
export interface ClassOptions<T extends object, S = unknown> {
  /** What is sent instead of the instance's own fields: anything that can cross. */
  readonly dehydrate?: ((instance: T) => S) | undefined;
  /** Makes an instance of what was sent. */
  readonly revive?: ((state: S) => T) | undefined;
  /** As for `task()`: how the class is found where its place in its module is not enough. */
  readonly url?: string | URL | undefined;
  readonly name?: string | undefined;
}

/** What a method's task is given in the instance's stead; `undefined`: the class itself. */
type Self = { readonly state: unknown; readonly frozen: boolean } | undefined;

type Method = (...args: unknown[]) => unknown;

export type RegisteredClass = {
  readonly cls: AnyClass;
  readonly options: ClassOptions<object>;
  readonly task: Task<[Self, string, readonly unknown[]], unknown>;
};

type Registry = { readonly classes: WeakMap<object, RegisteredClass>; readonly originals: WeakMap<object, Method> };

const registry = (): Registry =>
  threadWide("toolkit-classes", () => ({ classes: new WeakMap(), originals: new WeakMap() }));

/**
 * Makes the methods of a class callable in other threads, through `inThread(instance)` and `inThread(TheClass)`. Call it
 * at the top level of the module that declares the class, or put it before the class as a decorator. Every class whose
 * instances are used so is registered by itself: a subclass is another class.
 *
 * An instance crosses as its own fields and gets its prototype over there; it is a copy, and changes to it do not come
 * back. State in `#private` fields, or in what extends `Map` and the like, needs the two hooks.
 *
 * @throws TaskDeclarationError inside a function, where no other thread finds the class.
 * @throws TypeError for what is no class, or one hook without the other.
 */
export function registerClass<C extends AnyClass, S = unknown>(
  cls: C,
  options: ClassOptions<InstanceType<C>, S> | ClassDecoratorContext = {},
): C {
  if (typeof cls !== "function" || typeof cls.prototype !== "object")
    throw new TypeError("registerClass() expected a class.");
  const given = ("kind" in options ? {} : options) as unknown as ClassOptions<object>;
  if ((given.dehydrate === undefined) !== (given.revive === undefined)) {
    throw new TypeError(`registerClass(${cls.name}): dehydrate and revive belong together; give both or none.`);
  }
  const { url, name } = given;
  const run = (self: Self, key: string, args: readonly unknown[]): unknown => callMethod(known, self, key, args);
  Object.defineProperty(run, "name", { value: cls.name });
  const task = declareTask(
    run,
    { ...(url === undefined ? {} : { url }), ...(name === undefined ? {} : { name }) },
    registerClass,
  );
  const known: RegisteredClass = { cls, options: given, task };
  registry().classes.set(cls, known);
  return cls;
}

/**
 * The registered class of an instance, or of a class given itself.
 *
 * @throws TaskDeclarationError if exactly this class was not registered.
 */
export function registeredClassOf(target: object): RegisteredClass {
  const cls: unknown =
    typeof target === "function"
      ? target
      : (Object.getPrototypeOf(target) as { constructor?: unknown } | null)?.constructor;
  const found = typeof cls === "function" ? registry().classes.get(cls) : undefined;
  if (found !== undefined) return found;
  const name = typeof cls === "function" && cls.name !== "" ? cls.name : "the object's class";
  throw new TaskDeclarationError(
    `${name} was not registered, so that another thread could not find it. Write registerClass(${name}) at the top level of the module that declares it; a registered base class does not stand for it.`,
  );
}

/** What crosses instead of `target`. */
export function selfOf({ cls, options }: RegisteredClass, target: object): Self {
  if (typeof target === "function") return undefined;
  if (options.dehydrate !== undefined) return { state: options.dehydrate(target), frozen: false };
  const native = nativeBase(cls);
  if (native !== undefined) throw new ReviveHookNeeded(cls.name, `what a ${native} holds is not in its fields`);
  return { state: { ...target }, frozen: Object.isFrozen(target) };
}

/** The method as it was written, where a decorator has put another in its place. */
export function keepOriginal(replacement: object, original: Method): void {
  registry().originals.set(replacement, original);
}

export function originalOf(method: Method): Method {
  return registry().originals.get(method) ?? method;
}

function callMethod(known: RegisteredClass, self: Self, key: string, args: readonly unknown[]): unknown {
  const target = self === undefined ? known.cls : revived(known, self);
  const method = originalOf(Reflect.get(target, key) as Method);
  try {
    return method.apply(target, [...args]);
  } catch (cause) {
    if (self === undefined || known.options.revive !== undefined || !isAboutPrivateState(cause)) throw cause;
    throw new ReviveHookNeeded(known.cls.name, `its method ${key} uses #private state, which does not cross`, {
      cause,
    });
  }
}

function revived({ cls, options }: RegisteredClass, self: NonNullable<Self>): object {
  if (options.revive !== undefined) return options.revive(self.state);
  const instance = Object.create(cls.prototype as object) as object;
  for (const [name, value] of Object.entries(self.state as object))
    Object.defineProperty(instance, name, { value, writable: true, enumerable: true, configurable: true });
  return self.frozen ? Object.freeze(instance) : instance;
}

/** V8's words, and those of the helpers that esbuild and TypeScript put in for older targets. */
function isAboutPrivateState(error: unknown): boolean {
  return (
    error instanceof TypeError &&
    /private (?:member|field|method|accessor)|must be (?:an )?instance of class/i.test(error.message)
  );
}

/** The built-in class that `cls` extends, if its instances have a state that is not in their fields. */
function nativeBase(cls: AnyClass): string | undefined {
  for (
    let at = Object.getPrototypeOf(cls.prototype) as object | null;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    const base = at.constructor;
    if (/\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(base))) return base.name;
  }
  return undefined;
}
