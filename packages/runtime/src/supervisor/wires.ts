/** The two wires that a thread's line may run over. */
import { setImmediate } from "node:timers"; // not the one that a test may have replaced by a clock of its own
import { types } from "node:util";
import { BroadcastChannel, type MessagePort, receiveMessageOnPort, type Transferable } from "node:worker_threads";
import { ownDoorbell } from "../future/doorbell.ts";
import { currentThread, lineageLinks, type RootShared, SUPERVISOR_STATE } from "../thread/identity.ts";
import type { FromSupervisor, ToSupervisor } from "../wire/messages.ts";
import { SUPERVISOR_DEAD } from "./launch.ts";

/** One thread's connection with the supervisor: a MessagePort where one could be handed over, a BroadcastChannel else. */
export interface Wire {
  /** `false`: nobody is there any more to receive it. */
  post(message: ToSupervisor, transfer?: readonly Transferable[]): boolean;
  receive(): FromSupervisor | undefined;
  /** `closed` is called on the event loop when the other end is no more. */
  listen(handler: (message: FromSupervisor) => void, closed: () => void): void;
  ref(): void;
  unref(): void;
  /** Whether a port can travel over it. */
  readonly carriesPorts: boolean;
}

export function overPort(port: MessagePort, inTime: () => boolean = () => true): Wire {
  let saysSo = false;
  let gone = false;
  return {
    carriesPorts: true,
    // Node says whether a port's other end is still there, by what this returns: true, then false or nothing. It is not
    // documented (a test pins it), so it counts only where it was true before. Nothing else tells a blocked thread.
    post(message, transfer) {
      const received = port.postMessage(message, transfer as Transferable[] | undefined) as unknown as
        | boolean
        | undefined;
      if (received === true) saysSo = true;
      return (received === true || !saysSo) && inTime();
    },
    // Asking a port from within its close event is a segmentation fault (Node 20 to 26).
    receive: () => (gone ? undefined : (receiveMessageOnPort(port)?.message as FromSupervisor | undefined)),
    listen(handler, closed) {
      port.on("message", handler);
      port.once("close", () => {
        gone = true;
        setImmediate(closed); // what it does may end in code that blocks, and so asks ports
      });
      port.unref();
    },
    ref: () => port.ref(),
    unref: () => port.unref(),
  };
}

/** The names of the channels on which threads that duck-ts did not make reach the supervisor. */
export function broadcastNames(root: string): { readonly hello: string; forThread(id: number): string } {
  return { hello: `duck-ts:${root}:hello`, forThread: (id) => `duck-ts:${root}:thread-${id}` };
}

/**
 * What a foreign thread says on the channel that all share: first who it is, and then what it has to say before it knows
 * that the supervisor listens to its own. Others may ask for that right after, and it may not come to its event loop.
 */
export type Hello =
  | { readonly links: ReturnType<typeof lineageLinks>; readonly bell: Int32Array }
  | { readonly from: number; readonly message: ToSupervisor };

export function overBroadcast({ id: root, words }: RootShared): Wire {
  const names = broadcastNames(root);
  const info = currentThread();
  const channel = new BroadcastChannel(names.forThread(info.id));
  const hello = new BroadcastChannel(names.hello);
  let welcome = false;
  const take = (message: FromSupervisor): FromSupervisor => {
    if (message.t === "welcome" && !welcome) {
      welcome = true;
      hello.close();
    }
    return message;
  };
  const say = (message: ToSupervisor): void => {
    if (welcome) channel.postMessage(message);
    else hello.postMessage({ from: info.id, message } satisfies Hello);
  };
  hello.postMessage({ links: lineageLinks(info), bell: ownDoorbell() } satisfies Hello);
  (hello as unknown as MessagePort).unref();
  process.once("exit", (code) => say({ t: "gone", id: info.id, exit: { reason: "exit", exitCode: code } }));
  return {
    carriesPorts: false,
    // A channel only copies. What was to be moved is first moved into what is copied: it must be gone from here.
    post(message, transfer = []) {
      const moved = transfer.filter(types.isArrayBuffer);
      say(moved.length === 0 ? message : structuredClone(message, { transfer: moved }));
      return Atomics.load(words, SUPERVISOR_STATE) !== SUPERVISOR_DEAD;
    },
    receive() {
      const got = receiveMessageOnPort(channel as unknown as MessagePort);
      return got === undefined ? undefined : take(got.message as FromSupervisor);
    },
    listen(handler, closed) {
      channel.onmessage = (event) => handler(take((event as unknown as { data: FromSupervisor }).data));
      (channel as unknown as MessagePort).unref();
      whenSupervisorDies(words, closed);
    },
    ref: () => (channel as unknown as MessagePort).ref(),
    unref: () => (channel as unknown as MessagePort).unref(),
  };
}

/** A channel has no end that closes: such a thread goes by the word that its root keeps. */
function whenSupervisorDies(words: Int32Array, dead: () => void): void {
  const state = Atomics.load(words, SUPERVISOR_STATE);
  if (state === SUPERVISOR_DEAD) {
    dead();
    return;
  }
  const change = (Atomics as unknown as WaitsAsync).waitAsync(words, SUPERVISOR_STATE, state);
  if (change.async) void change.value.then(() => whenSupervisorDies(words, dead));
  else whenSupervisorDies(words, dead);
}

/** In every supported Node, but not in the library that TypeScript is given. */
type WaitsAsync = {
  waitAsync(
    words: Int32Array,
    index: number,
    value: number,
  ): { readonly async: true; readonly value: Promise<string> } | { readonly async: false };
};
