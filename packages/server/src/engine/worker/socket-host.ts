/** WebSockets in the worker: the sockets that this thread holds, and the callbacks of their routes. */
import type { AsyncResource } from "node:async_hooks";
import type { DuckWebSocket } from "../../app/web-socket.ts";
import type { WorkerLogger } from "../../logs/worker-logger.ts";
import type { FromWorker } from "../wire.ts";
import type { RunnableRoute } from "./load-app.ts";
import type { RequestContext } from "./request-context.ts";

interface SocketHostOptions {
  readonly log: WorkerLogger;
  post(message: FromWorker, transfer?: readonly ArrayBuffer[]): void;
}

export class SocketHost {
  readonly #options: SocketHostOptions;
  readonly #sockets = new Map<number, HostedSocket>();

  constructor(options: SocketHostOptions) {
    this.#options = options;
  }

  open(slot: number, ctx: RequestContext, route: RunnableRoute, scope: AsyncResource): void {
    const socket = new HostedSocket(slot, ctx, route, scope, this.#options, () => {
      this.#sockets.delete(slot);
      this.#options.post({ type: "socket-done", slot });
    });
    this.#sockets.set(slot, socket);
    socket.run("open");
  }
  message(slot: number, data: string | Uint8Array): void {
    this.#sockets.get(slot)?.message(data);
  }
  closed(slot: number, code: number, reason: string): void {
    this.#sockets.get(slot)?.closed(code, reason);
  }
  buffered(slot: number, bytes: number): void {
    this.#sockets.get(slot)?.taken(bytes);
  }
  /** The connection is gone without a close of its own. */
  abort(slot: number): void {
    this.#sockets.get(slot)?.closed(1006, "");
  }
}

class HostedSocket implements DuckWebSocket {
  readonly id: string;
  data: unknown = undefined;
  readonly #slot: number;
  readonly #ctx: RequestContext;
  readonly #route: RunnableRoute;
  readonly #scope: AsyncResource;
  readonly #options: SocketHostOptions;
  readonly #onDone: () => void;
  #state: "open" | "closing" | "closed" = "open";
  #bufferedBytes = 0;
  #drainers: (() => void)[] = [];
  /** Callbacks run one after the other, so that messages are handled in the order in which they came. */
  #last: Promise<void> | undefined;

  constructor(
    slot: number,
    ctx: RequestContext,
    route: RunnableRoute,
    scope: AsyncResource,
    options: SocketHostOptions,
    onDone: () => void,
  ) {
    this.id = ctx.id;
    this.#slot = slot;
    this.#ctx = ctx;
    this.#route = route;
    this.#scope = scope;
    this.#options = options;
    this.#onDone = onDone;
  }

  get readyState(): "open" | "closing" | "closed" {
    return this.#state;
  }
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }
  send(data: string | ArrayBufferView | ArrayBuffer): boolean {
    if (this.#state !== "open") return false;
    const slot = this.#slot;
    if (typeof data === "string") {
      this.#bufferedBytes += Buffer.byteLength(data);
      this.#options.post({ type: "socket-send", slot, data });
    } else {
      const copy = copyOf(data);
      this.#bufferedBytes += copy.byteLength;
      this.#options.post({ type: "socket-send", slot, data: copy }, [copy.buffer]);
    }
    return this.#bufferedBytes <= this.#route.maxBufferedBytes;
  }
  drained(): Promise<void> {
    if (this.#bufferedBytes === 0 || this.#state === "closed") return Promise.resolve();
    return new Promise((resolve) => void this.#drainers.push(resolve));
  }
  close(code = 1000, reason = ""): void {
    if (this.#state !== "open") return;
    if (code !== 1000 && !(Number.isInteger(code) && code >= 3000 && code <= 4999)) {
      throw new RangeError(`A socket is closed with 1000 or 3000 to 4999; got ${code}.`);
    }
    if (Buffer.byteLength(reason) > 123) throw new RangeError("The reason of a close has at most 123 bytes.");
    this.#state = "closing";
    this.#options.post({ type: "socket-close", slot: this.#slot, code, reason });
  }

  /** Main has handed so many bytes to the connection. */
  taken(bytes: number): void {
    this.#bufferedBytes = Math.max(0, this.#bufferedBytes - bytes);
    if (this.#bufferedBytes > 0) return;
    for (const drainer of this.#drainers.splice(0)) drainer();
  }

  message(data: string | Uint8Array): void {
    this.run("message", data);
    const bytes = typeof data === "string" ? data.length : data.byteLength;
    const taken = (): void => this.#options.post({ type: "socket-taken", slot: this.#slot, bytes });
    if (this.#last === undefined) taken();
    else void this.#last.then(taken);
  }

  closed(code: number, reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#ctx.abort("client-gone");
    for (const drainer of this.#drainers.splice(0)) drainer();
    this.run("close", code, reason);
    if (this.#last === undefined) this.#onDone();
    else void this.#last.then(() => this.#onDone());
  }

  run(name: "open"): void;
  run(name: "message", data: string | Uint8Array): void;
  run(name: "close", code: number, reason: string): void;
  run(name: "open" | "message" | "close", ...args: unknown[]): void {
    const callback = this.#route.socket?.[name] as ((...args: unknown[]) => unknown) | undefined;
    if (callback === undefined) return;
    const call = (): unknown => this.#scope.runInAsyncScope(callback, this.#route.socket, this, ...args, this.#ctx);
    if (this.#last !== undefined) {
      this.#follow(this.#last.then(call));
      return;
    }
    try {
      const result = call();
      if (result instanceof Promise) this.#follow(result);
    } catch (error) {
      this.#failed(error);
    }
  }

  #follow(promise: Promise<unknown>): void {
    const last = promise.then(
      () => undefined,
      (error: unknown) => this.#failed(error),
    );
    this.#last = last;
    void last.then(() => {
      if (this.#last === last) this.#last = undefined;
    });
  }

  #failed(error: unknown): void {
    this.#options.log.error({ err: error, requestId: this.id }, "A WebSocket callback failed");
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#options.post({ type: "socket-close", slot: this.#slot, code: 1011, reason: "The handler failed" });
  }
}

/** What is sent goes with its memory, and what a callback has given stays its own. */
function copyOf(data: ArrayBufferView | ArrayBuffer): Uint8Array<ArrayBuffer> {
  if (data instanceof ArrayBuffer) return new Uint8Array(data.slice(0));
  if (ArrayBuffer.isView(data)) return new Uint8Array(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const given: unknown = data;
  throw new TypeError(`send() takes a string or bytes, got ${given === null ? "null" : typeof given}.`);
}
