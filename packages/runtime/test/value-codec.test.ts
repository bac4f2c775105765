import { MessageChannel, receiveMessageOnPort, type Transferable } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { DataNotCloneableError } from "../src/errors.ts";
import { explainNotCloneable } from "../src/wire/clone-path.ts";
import { decodeValue, encodeValue, isPlainScalars, registerSpecialKind } from "../src/wire/value-codec.ts";

/** Stands in for a future: a class with a private part, which structured clone would turn into {}. */
class Token {
  readonly #secret: string;
  constructor(secret: string) {
    this.#secret = secret;
  }
  get secret(): string {
    return this.#secret;
  }
}
registerSpecialKind({
  tag: "test:token",
  is: (value) => value instanceof Token,
  encode: (value) => ({ secret: (value as Token).secret }),
  decode: (payload) => new Token((payload as { secret: string }).secret),
});

/** A task is a function with a kind of its own. */
const callable = Object.assign(() => 1, { id: "callable" });
registerSpecialKind({
  tag: "test:callable",
  is: (value) => value === callable,
  encode: () => "callable",
  decode: () => callable,
});

/** Holds any other value, special ones too. */
class Box {
  content: unknown;
  constructor(content: unknown) {
    this.content = content;
  }
}
registerSpecialKind({
  tag: "test:box",
  is: (value) => value instanceof Box,
  encode: (value) => (value as Box).content,
  decode: (payload) => new Box(payload),
});

function cross<T>(value: T): T {
  const transfer: Transferable[] = [];
  return arrive(encodeValue(value, transfer), transfer) as T;
}

function arrive(encoded: ReturnType<typeof encodeValue>, transfer: Transferable[] = []): unknown {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(encoded, transfer);
  const { value, specials } = (receiveMessageOnPort(port2) as { message: ReturnType<typeof encodeValue> }).message;
  port1.close();
  return decodeValue(value, specials);
}

function thrownBy(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("a value without special values", () => {
  const plain: unknown[] = [
    undefined,
    null,
    1,
    "a",
    10n,
    true,
    [],
    {},
    [1, [2, { a: new Date(0) }]],
    new Map([[{ a: 1 }, new Set([1])]]),
    new Uint8Array([1, 2]),
    new ArrayBuffer(3),
    /x/g,
    Object.create(null),
    new (class Foo {
      x = 1;
    })(),
  ];
  it.each(plain.map((value) => [value]))("is posted as the very value that was given: %o", (value) => {
    const encoded = encodeValue(value, []);
    expect(encoded.specials).toBeUndefined();
    expect(encoded.value).toBe(value);
  });

  it("may hold cycles, however many", () => {
    const nodes = Array.from({ length: 2000 }, () => ({}) as Record<string, unknown>);
    for (const [i, node] of nodes.entries())
      Object.assign(node, { next: nodes[(i + 1) % 2000], back: nodes[(i + 7) % 2000], self: node });
    expect(encodeValue(nodes[0], []).specials).toBeUndefined();
  });

  it("may be shared so often that walking every path would never end", () => {
    let value: unknown = [];
    for (let i = 0; i < 5000; i++) value = [value, value];
    expect(encodeValue(value, []).specials).toBeUndefined();
  });

  it("may be a sparse array of four billion places", () => {
    const sparse: unknown[] = [];
    sparse[4_000_000_000] = {};
    expect(encodeValue(sparse, []).specials).toBeUndefined();
    sparse[4_000_000_001] = new Token("far");
    expect(encodeValue(sparse, []).specials).toHaveLength(1);
  });
});

describe("a special value", () => {
  it("crosses as itself at the root", () => {
    expect(cross(new Token("a")).secret).toBe("a");
    expect(cross(callable)).toBe(callable);
  });

  it("crosses inside arrays, objects, null-prototype objects, class instances, maps and sets", () => {
    class Job {
      token = new Token("job");
      n = 1;
    }
    const value = {
      list: [1, new Token("list")],
      deep: { deep: Object.assign(Object.create(null), { token: new Token("null") }) },
      job: new Job(),
      map: new Map<unknown, unknown>([
        ["first", 1],
        ["token", new Token("map")],
        [new Token("key"), "v"],
        ["last", 2],
      ]),
      set: new Set<unknown>([1, new Token("set"), 2]),
    };
    const arrived = cross(value);
    expect((arrived.list[1] as Token).secret).toBe("list");
    expect(arrived.deep.deep.token.secret).toBe("null");
    expect(arrived.job.token.secret).toBe("job");
    expect(arrived.job).not.toBeInstanceOf(Job);
    expect((arrived.map.get("token") as Token).secret).toBe("map");
    expect([...arrived.map.keys()].map((key) => (key instanceof Token ? key.secret : key))).toEqual([
      "first",
      "token",
      "key",
      "last",
    ]);
    expect([...arrived.set].map((member) => (member instanceof Token ? member.secret : member))).toEqual([1, "set", 2]);
  });

  it("leaves the original untouched and shares whatever does not lead to it", () => {
    const aside = { big: [1, 2, 3] };
    const value = Object.freeze({ aside, way: Object.freeze([new Token("a"), aside]) });
    const encoded = encodeValue(value, []);
    expect(value.way[0]).toBeInstanceOf(Token);
    expect(encoded.value).not.toBe(value);
    expect((encoded.value as typeof value).aside).toBe(aside);
    expect((encoded.value as typeof value).way[1]).toBe(aside);
  });

  it("is found among many instances of one class, and where a prototype was added to", () => {
    function Old(this: { n: number; token?: Token }, n: number) {
      this.n = n;
    }
    Old.prototype.method = () => {};
    const olds = Array.from(
      { length: 10 },
      (_, i) => new (Old as unknown as new (n: number) => { n: number; token?: Token })(i),
    );
    (olds[3] as { token?: Token }).token = new Token("third");
    expect(cross(olds)[3]?.token?.secret).toBe("third");
    Object.defineProperty(Object.prototype, "polluted", {
      value: () => {},
      enumerable: true,
      writable: true,
      configurable: true,
    });
    try {
      expect(cross({ a: { token: new Token("b") } }).a.token.secret).toBe("b");
    } finally {
      Reflect.deleteProperty(Object.prototype, "polluted");
    }
  });

  it("keeps identity: two places of one value stay one value", () => {
    const token = new Token("a");
    const inner = { token };
    const arrived = cross({ a: token, b: [token], c: inner, d: inner, e: new Map([[token, token]]) });
    expect(arrived.a).toBe(arrived.b[0]);
    expect(arrived.c).toBe(arrived.d);
    expect(arrived.c.token).toBe(arrived.a);
    expect([...arrived.e][0]).toEqual([arrived.a, arrived.a]);
  });

  it("keeps cycles, through maps and sets too", () => {
    const value: Record<string, unknown> = { token: new Token("a") };
    value.self = [value];
    value.map = new Map<unknown, unknown>([["value", value]]);
    (value.map as Map<unknown, unknown>).set(value.map, new Set([value]));
    const arrived = cross(value) as { token: Token; self: unknown[]; map: Map<unknown, unknown> };
    expect(arrived.self[0]).toBe(arrived);
    expect(arrived.map.get("value")).toBe(arrived);
    expect([...(arrived.map.get(arrived.map) as Set<unknown>)]).toEqual([arrived]);
    expect(arrived.token.secret).toBe("a");
  });

  it("may hold special values in what is sent for it, complete before it is decoded", () => {
    const shared = new Token("shared");
    const arrived = cross([
      new Box({ list: [new Box(shared), shared] }),
      new Box(new Box(new Token("inner"))),
      shared,
    ]) as [Box, Box, Token];
    const content = arrived[0].content as { list: [Box, Token] };
    expect(content.list[1]).toBe(arrived[2]);
    expect(content.list[0].content).toBe(arrived[2]);
    expect(((arrived[1].content as Box).content as Token).secret).toBe("inner");
  });

  it("is put back under a key called __proto__ without touching a prototype", () => {
    const value = JSON.parse('{"__proto__": {"a": 1}, "b": 2}') as Record<string, unknown>;
    value.token = new Token("a");
    Object.defineProperty(value, "__proto__", { value: new Token("p"), enumerable: true });
    const arrived = cross(value);
    expect(Object.getPrototypeOf(arrived)).toBe(Object.prototype);
    expect(Object.getOwnPropertyDescriptor(arrived, "__proto__")?.value.secret).toBe("p");
  });

  it("keeps holes and the length of arrays it is in", () => {
    const holey: unknown[] = new Array(5);
    holey[1] = new Token("a");
    const arrived = cross(holey);
    expect(arrived).toHaveLength(5);
    expect(0 in arrived).toBe(false);
    expect(1 in arrived).toBe(true);
    expect(4 in arrived).toBe(false);
  });

  it("behind a getter is seen, as structured clone calls getters too, and read once", () => {
    let made = 0;
    const value = {
      get token() {
        return new Token(`made ${++made}`);
      },
    };
    expect(cross({ value }).value.token).toBeInstanceOf(Token);
  });

  it("of a kind this thread does not know says so", () => {
    const encoded = { value: null, specials: [{ tag: "nobody's", payload: 1, at: [null, 0] }] };
    expect(() => decodeValue(encoded.value, encoded.specials)).toThrow(/"nobody's" arrived/);
  });

  it("is handled by the last registration of its tag", () => {
    class Late {}
    for (const n of [1, 2])
      registerSpecialKind({
        tag: "test:late",
        is: (value) => value instanceof Late,
        encode: () => n,
        decode: (payload) => [n, payload],
      });
    expect(cross(new Late() as unknown)).toEqual([2, 2]);
  });

  it("crosses in what is transferred along", () => {
    class Ported {
      readonly port = new MessageChannel().port1;
    }
    registerSpecialKind({
      tag: "test:ported",
      is: (value) => value instanceof Ported,
      encode: (value, transfer) => {
        transfer.push((value as Ported).port);
        return { port: (value as Ported).port };
      },
      decode: (payload) => payload,
    });
    const arrived = cross([new Ported()]);
    expect(arrived[0]?.port.postMessage).toBeTypeOf("function");
    arrived[0]?.port.close();
  });
});

describe("nesting", () => {
  const nested = (depth: number, innermost: unknown): unknown => {
    let value = innermost;
    for (let i = 0; i < depth; i++) value = [value];
    return value;
  };
  it("of 100,000 levels passes the codec; structured clone refuses it, and the explanation says why", () => {
    const value = nested(100_000, 1);
    expect(encodeValue(value, []).value).toBe(value);
    const cause = thrownBy(() => structuredClone(value));
    expect(cause).toBeInstanceOf(RangeError);
    expect(explainNotCloneable(value, "args[0]", { cause })).toMatchObject({
      path: "args[0]",
      found: "a value nested 100000 levels deep",
      cause,
    });
  });
  it("of 100,000 levels around a special value does not overflow either", () => {
    const encoded = encodeValue(nested(100_000, new Token("deep")), []);
    let at = decodeValue(encoded.value, encoded.specials);
    while (Array.isArray(at)) at = at[0];
    expect((at as Token).secret).toBe("deep");
  });
});

describe("random values", () => {
  // mulberry32: small, and the same everywhere.
  const random = (seed: number) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };

  function make(next: () => number, specials: boolean): { value: unknown; all: unknown[] } {
    const all: unknown[] = [];
    const grow = (depth: number): unknown => {
      const choice = Math.floor(next() * (depth > 4 ? 8 : 14));
      if (choice < 5) return [next(), `s${next()}`, null, undefined, BigInt(Math.floor(next() * 1e9))][choice];
      if (choice === 5) return new Date(Math.floor(next() * 1e12));
      if (choice === 6 && all.length > 0) return all[Math.floor(next() * all.length)]; // shared, or a cycle
      if (choice === 7) return specials ? new Token(`t${next()}`) : new Uint8Array([1, 2, 3]);
      const size = Math.floor(next() * 5);
      const shape = choice % 4;
      const value: unknown = [[], {}, new Map(), new Set()][shape];
      all.push(value);
      for (let i = 0; i < size; i++) {
        const child = grow(depth + 1);
        if (shape === 0) (value as unknown[]).push(child);
        else if (shape === 1) (value as Record<string, unknown>)[`k${i}`] = child;
        else if (shape === 2) (value as Map<unknown, unknown>).set(next() < 0.5 ? `k${i}` : grow(depth + 1), child);
        else (value as Set<unknown>).add(child);
      }
      return value;
    };
    return { value: grow(0), all };
  }

  /** The value as text: every reference numbered where it is first met, so identity, cycles and order are in it. */
  function draw(root: unknown): string {
    const numbers = new Map<unknown, number>();
    const one = (value: unknown): string => {
      if (typeof value === "bigint") return `${value}n`;
      if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
      const known = numbers.get(value);
      if (known !== undefined) return `#${known}`;
      numbers.set(value, numbers.size);
      if (value instanceof Token) return `Token(${value.secret})`;
      if (value instanceof Date) return `Date(${value.getTime()})`;
      if (value instanceof Uint8Array) return `Bytes(${value.join()})`;
      if (value instanceof Map) return `Map(${[...value].map(([k, v]) => `${one(k)}=>${one(v)}`).join()})`;
      if (value instanceof Set) return `Set(${[...value].map(one).join()})`;
      if (Array.isArray(value)) return `[${value.map(one).join()}]`;
      return `{${Object.entries(value)
        .map(([k, v]) => `${k}:${one(v)}`)
        .join()}}`;
    };
    return one(root);
  }

  it.each([true, false])(
    "arrive equal, order and identity included, and the original is untouched (special values: %s)",
    (specials) => {
      let withSpecials = 0;
      for (let seed = 1; seed <= 3000; seed++) {
        const { value } = make(random(seed), specials);
        const before = draw(value);
        const encoded = encodeValue(value, []);
        if (encoded.specials !== undefined) withSpecials++;
        const { value: posted, specials: slots } = structuredClone(encoded);
        expect(draw(decodeValue(posted, slots)), `seed ${seed}`).toBe(before);
        expect(draw(value), `seed ${seed}`).toBe(before);
        expect(encoded.specials === undefined).toBe(!before.includes("Token("));
      }
      expect(withSpecials > 500).toBe(specials);
    },
  );
});

describe("what cannot be cloned is named by its path", () => {
  const detached = new ArrayBuffer(8);
  const view = new Uint8Array(detached);
  structuredClone(detached, { transfer: [detached] });
  class Saver {
    save = () => {};
  }
  const cases: [string, unknown, string, string][] = [
    ["a method", [{ users: [1, 2, { save() {} }] }], "args[0].users[2].save", "a function (save)"],
    ["an anonymous function", [(() => () => {})()], "args[0]", "a function (anonymous)"],
    ["a class", [{ a: Saver }], "args[0].a", "a class (Saver)"],
    ["an own function of an instance", [new Saver()], "args[0].save", "a function (save)"],
    ["a key that needs quotes", [1, { "weird key": Symbol("s") }], 'args[1]["weird key"]', "a symbol"],
    ["a value of a map", [{ rows: new Map([["x", new WeakMap()]]) }], 'args[0].rows.get("x")', "a WeakMap"],
    ["a key of a map", [new Map([[() => {}, 1]])], "args[0].keys()[0]", "a function (anonymous)"],
    ["a member of a set", [new Set([1, Promise.resolve()])], "args[0].values()[1]", "a Promise"],
    ["a WeakRef", [new WeakRef({})], "args[0]", "a WeakRef"],
    ["a WeakSet", [new WeakSet()], "args[0]", "a WeakSet"],
    ["a proxy", [new Proxy({}, {})], "args[0]", "a Proxy"],
    ["a proxy of a function", [new Proxy(() => {}, {})], "args[0]", "a Proxy of a function"],
    [
      "a getter that throws",
      [
        {
          get bad() {
            throw new Error("no");
          },
        },
      ],
      "args[0].bad",
      "a getter that throws (no)",
    ],
    ["a detached buffer", [{ detached }], "args[0].detached", "a detached (already transferred) ArrayBuffer"],
    ["a view of one", [view], "args[0]", "a Uint8Array on a detached (already transferred) ArrayBuffer"],
    ["a generator", [(function* () {})()], "args[0]", "a generator object"],
    ["a host object", [{ f: [new Intl.NumberFormat()] }], "args[0].f[0]", "a NumberFormat"],
    [
      "a port that is not transferred",
      [new MessageChannel().port1],
      "args[0]",
      "a MessagePort that is not in the transfer list",
    ],
    [
      "one in an instance among many",
      [Array.from({ length: 50 }, (_, i) => new Box(i === 40 ? () => {} : i)).map((b) => ({ ...b }))],
      "args[0][40].content",
      "a function (anonymous)",
    ],
  ];
  it.each(cases)("%s", (_, args, path, found) => {
    expect(() => structuredClone(args)).toThrow();
    const error = explainNotCloneable(args, "args");
    expect(error).toBeInstanceOf(DataNotCloneableError);
    expect(error).toMatchObject({ path, found, code: "DUCK_DATA_NOT_CLONEABLE" });
    expect(error.message.startsWith(`${path} is ${found}`)).toBe(true);
  });

  it("and what a special kind or the transfer list carries is not what is named", () => {
    const { port1 } = new MessageChannel();
    const args = [new Token("a"), callable, port1, { save() {} }];
    expect(explainNotCloneable(args, "args", { transfer: [port1] })).toMatchObject({ path: "args[3].save" });
    port1.close();
  });

  it("as a whole where the graph is too large to search", () => {
    const wide = Array.from({ length: 400_000 }, () => ({}));
    expect(explainNotCloneable([wide, () => {}], "args").path).toBe("args");
  });

  it("never throws itself, whatever the value does", () => {
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error("get");
        },
        getPrototypeOf() {
          throw new Error("proto");
        },
        ownKeys() {
          throw new Error("keys");
        },
      },
    );
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const value of [hostile, proxy, [{ hostile }], new Map([[hostile, proxy]]), undefined, Symbol("x")]) {
      expect(explainNotCloneable(value, "value")).toBeInstanceOf(DataNotCloneableError);
      expect(() => encodeValue([value, new Token("a")], [])).not.toThrow(TypeError);
    }
  });

  it("by encodeValue already, where walking shows it", () => {
    expect(
      thrownBy(() =>
        encodeValue(
          [
            {
              get bad() {
                throw new Error("no");
              },
            },
          ],
          [],
          "args",
        ),
      ),
    ).toMatchObject({ path: "args[0].bad", cause: { message: "no" } });
    expect(thrownBy(() => encodeValue([{ save() {} }, new Token("a")], [], "args"))).toMatchObject({
      path: "args[0].save",
    });
  });

  it("with a path that stays readable, however deep", () => {
    let value: unknown = () => {};
    for (let i = 0; i < 5000; i++) value = { a: value };
    expect(explainNotCloneable(value, "result").path).toMatch(/^result(\.a)+\[\.\.\.\](\.a)+$/);
  });
});

it("isPlainScalars tells the arguments that need no codec", () => {
  expect(isPlainScalars([])).toBe(true);
  expect(isPlainScalars([undefined, null, true, 1, 1n, "a"])).toBe(true);
  for (const other of [{}, [], () => {}, Symbol("s")]) expect(isPlainScalars([1, other])).toBe(false);
});
