/** The managers' part of the supervisor: who owns what, and the hosts of what runs. Runs in the supervisor's thread. */

import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import {
  type Answerers,
  encodeError,
  entryUrl,
  explainNotCloneable,
  type FromWorker,
  logger,
  REGISTRY_VERSION,
  type SupervisorApi,
  type SupervisorService,
  type ThreadExit,
  type ThreadRecord,
  type Wait,
  type WaitTarget,
} from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import {
  type Asked,
  type FromService,
  type Introduction,
  type Kind,
  type ManagerId,
  SERVICE,
  type Started,
  type StopReport,
  type ToService,
} from "../protocol.ts";
import { ToolkitHost } from "../toolkit/supervisor/toolkit-host.ts";
import { formatManagerTree } from "../tree.ts";
import { Accounts } from "./accounts.ts";
import { Awaits } from "./awaits.ts";
import { buildTree } from "./build-tree.ts";
import type { HostContext } from "./host-api.ts";
import { HostedHost } from "./hosted-host.ts";
import { LoopHost } from "./loop-host.ts";
import { PoolHost } from "./pool-host.ts";
import { ManagerRecord, nameOf } from "./records.ts";

const MAX_QUIET_MANAGERS = Math.max(8, 2 * availableParallelism());

/** The answer's place taken by an error that says what in it cannot go on. */
function refuseAnswer([, callId, value]: FromWorker, cause: unknown): FromWorker {
  return ["failed", callId, encodeError(explainNotCloneable(value, "result", { cause }))];
}

export function createService(api: SupervisorApi): SupervisorService {
  return new ManagersService(api);
}

class ManagersService implements SupervisorService {
  readonly #api: SupervisorApi;
  readonly #managers = new Map<string, ManagerRecord>();
  /** By owner thread, kind and id. */
  readonly #owned = new Map<number, Map<string, ManagerRecord>>();
  readonly #urls: HostContext["urls"];
  readonly #toolkit: ToolkitHost;
  readonly #awaits = new Awaits();
  readonly #accounts = new Accounts();
  #warned = false;

  constructor(api: SupervisorApi) {
    this.#api = api;
    const runtime = createRequire(import.meta.url).resolve("@duck-ts/runtime");
    const dist = new URL("..", import.meta.url).href;
    this.#urls = {
      poolAgent: entryUrl("./pool/agent.js", "@duck-ts/managers", dist),
      loopAgent: entryUrl("./loop-agent.js", "@duck-ts/managers", dist),
      entry: new URL("./worker/entry.js", pathToFileURL(runtime)),
    };
    const separateAgent = entryUrl("./toolkit/separate-agent.js", "@duck-ts/managers", dist);
    this.#toolkit = new ToolkitHost(api, { entry: this.#urls.entry, separateAgent }, (thread, event) =>
      this.#post(thread, event),
    );
  }

  call(from: ThreadRecord, body: unknown, reply: ((value: unknown) => void) | undefined): void {
    const message = body as ToService;
    switch (message.op) {
      case "created":
        this.#created(message.manager, message.replaces);
        return;
      case "resolve":
        reply?.(this.#resolve(from, message.kind, message.id, message.create));
        return;
      case "explain":
        reply?.(this.#ask(from, message.kind, message.id));
        return;
      case "describe":
        reply?.(this.#managers.get(message.key)?.started);
        return;
      case "start":
        this.#start(message.key, message.started);
        return;
      case "stop":
        this.#stop(from, message, reply);
        return;
      case "account":
        this.#accounts.open(from.id, message.key, message.words);
        return;
      case "submit": {
        this.#accounts.came(from.id, message.key, message.tasks.length);
        const host = this.#managers.get(message.key)?.host;
        if (host !== undefined) {
          host.submit(from, message.tasks, message.again === true);
          return;
        }
        // Submitted in the moment in which the manager stopped.
        const manager = this.#managers.get(message.key);
        if (manager !== undefined) {
          Atomics.sub(manager.intro.head, board.OUTSTANDING, message.tasks.length);
          if (manager.intro.kind === "thread") Atomics.sub(manager.intro.head, board.QUEUED, message.tasks.length);
          Atomics.add(manager.intro.head, board.CANCELLED, message.tasks.length);
        }
        for (const task of message.tasks)
          this.#post(from, { op: "dropped", callId: task.message[1], why: "its manager has stopped" });
        return;
      }
      case "watch":
        this.#managers.get(message.key)?.host?.watch(from, message.callId, message.timeoutMs);
        return;
      case "done":
        this.#managers.get(message.key)?.host?.done(from, message.callId);
        return;
      case "cancel":
        this.#managers.get(message.key)?.host?.cancel(from, message.callId, message.reason);
        return;
      case "reclaim": {
        const host = this.#managers.get(message.key)?.host;
        reply?.(host instanceof PoolHost && host.reclaim(from, message.callId));
        return;
      }
      case "connect": {
        const host = this.#managers.get(message.key)?.host;
        if (host instanceof LoopHost) host.connect(from, message);
        else {
          message.port.close();
          // Tasks may be on that port already: their futures must hear that nobody will take them.
          const exit: ThreadExit = { reason: "terminated", exitCode: undefined };
          this.#post(from, {
            op: "gone",
            key: message.key,
            worker: 0,
            exit,
            links: [],
          });
        }
        return;
      }
      case "poke": {
        const host = this.#managers.get(message.key)?.host;
        if (host instanceof PoolHost || host instanceof LoopHost) host.poke();
        return;
      }
      case "hostedAnswers": {
        const host = this.#managers.get(message.key)?.host;
        if (host instanceof HostedHost) host.answered(message.to, message.answers);
        return;
      }
      case "hostedAwaits": {
        const host = this.#managers.get(message.key)?.host;
        if (host instanceof HostedHost) host.awaits(message.from, message.callId);
        return;
      }
      case "hostedDone": {
        const host = this.#managers.get(message.key)?.host;
        if (host instanceof HostedHost) host.ended(message.ok);
        return;
      }
      case "utilization":
        reply?.(this.#managers.get(message.key)?.host?.utilization() ?? 0);
        return;
      case "forget":
        this.#forget(message.key);
        return;
      case "tree":
        reply?.(buildTree(this.#api, this.#managers.values()));
        return;
      case "toolkit":
        this.#toolkit.call(from, message.body, reply);
        return;
      default:
        message satisfies never;
    }
  }

  threadGone(thread: ThreadRecord, exit: ThreadExit): void {
    this.#toolkit.threadGone(thread, exit);
    this.#awaits.threadGone(thread.id);
    for (const [key, lost] of this.#accounts.close(thread.id)) {
      const head = this.#managers.get(key)?.intro.head;
      if (head === undefined || lost <= 0) continue;
      Atomics.sub(head, board.OUTSTANDING, lost);
      Atomics.add(head, board.CANCELLED, lost);
    }
    for (const manager of this.#managers.values()) manager.host?.threadGone(thread);
    const owned = this.#owned.get(thread.id);
    if (owned === undefined) return;
    this.#owned.delete(thread.id);
    for (const manager of owned.values()) {
      this.#managers.delete(manager.intro.key);
      this.#accounts.forget(manager.intro.key);
      Atomics.store(manager.intro.head, board.STATE, board.GONE);
      manager.host?.kill(`its owner, thread "${thread.info?.name}", ended (${exit.reason})`);
      Atomics.store(manager.intro.head, board.STATE, board.GONE);
    }
    this.#changed();
  }

  answerers(target: Extract<WaitTarget, { on: "task" }>, waiter: number): Answerers {
    return (
      this.#toolkit.answerers(target, waiter) ??
      this.#managers.get(target.executor)?.host?.answerers(target, waiter) ?? { live: true }
    );
  }

  waiting(thread: ThreadRecord, wait: Wait): void {
    this.#awaits.begin(thread.id, wait);
    for (const manager of this.#managers.values()) manager.host?.helpWaiting((task) => this.#awaits.reach(task));
  }

  unwaiting(thread: ThreadRecord, waitId: number): void {
    this.#awaits.end(thread.id, waitId);
  }

  #post(thread: ThreadRecord | number, event: FromService, transfer?: readonly unknown[]): void {
    const record = typeof thread === "number" ? this.#api.thread(thread) : thread;
    try {
      record?.post({ t: "event", service: SERVICE, body: event }, transfer as never);
    } catch (cause) {
      if (event.op !== "answers") throw cause;
      // A result with a port in it, for a thread that has only a BroadcastChannel: that task fails, not this thread.
      for (const answer of event.answers) {
        const only = event.answers.length === 1 ? refuseAnswer(answer, cause) : answer;
        this.#post(thread, { ...event, answers: [only] });
      }
    }
  }

  #changed(): void {
    Atomics.add(this.#api.root.words, REGISTRY_VERSION, 1);
  }

  #created(intro: Introduction, replaces: string | undefined): void {
    const record = new ManagerRecord(intro);
    this.#managers.set(intro.key, record);
    const owner = record.ownerId;
    const owned = this.#owned.get(owner) ?? new Map<string, ManagerRecord>();
    this.#owned.set(owner, owned);
    owned.set(nameOf(intro.kind, intro.id), record);
    this.#changed();
    const old = replaces === undefined ? undefined : this.#managers.get(replaces);
    if (old !== undefined) this.#replaced(old);
  }

  /** It has stopped and will not be started again: no trace of it stays. */
  #forget(key: string): void {
    const manager = this.#managers.get(key);
    if (manager === undefined || manager.host !== undefined) return;
    this.#managers.delete(key);
    this.#accounts.forget(key);
    this.#owned.get(manager.ownerId)?.delete(nameOf(manager.intro.kind, manager.intro.id));
    Atomics.store(manager.intro.head, board.STATE, board.GONE);
    this.#changed();
  }

  /** Another manager has taken this one's id: it drains, stops and is forgotten. */
  #replaced(old: ManagerRecord): void {
    const { head } = old.intro;
    const end = (): void => {
      this.#managers.delete(old.intro.key);
      this.#accounts.forget(old.intro.key);
      Atomics.store(head, board.STATE, board.GONE);
    };
    if (old.host === undefined) {
      end();
      return;
    }
    board.beginStopping(head);
    void old.host.stop({ wait: true, timeoutMs: 30_000 }).then(end);
  }

  /** Each thread of the lineage with the ids it has; stops at the first that has the wanted one. */
  #ask(from: ThreadRecord, kind: Kind, id: ManagerId | undefined): Asked[] {
    const asked: Asked[] = [];
    for (const link of from.links) {
      const owned = this.#owned.get(link.id);
      const ids = [...(owned?.values() ?? [])]
        .filter((manager) => manager.intro.kind === kind)
        .map((manager) => manager.intro.id);
      const found = owned?.has(nameOf(kind, id)) === true;
      asked.push({ thread: link, ids, found });
      if (found) break;
    }
    return asked;
  }

  #resolve(
    from: ThreadRecord,
    kind: Kind,
    id: ManagerId | undefined,
    create: Introduction | undefined,
  ): Introduction | undefined {
    for (const link of from.links) {
      const manager = this.#owned.get(link.id)?.get(nameOf(kind, id));
      if (manager !== undefined) return manager.intro;
    }
    if (create !== undefined) this.#created(create, undefined);
    return create;
  }

  #start(key: string, started: Started): void {
    const manager = this.#managers.get(key);
    if (manager === undefined) return;
    manager.started = started;
    const context: HostContext = {
      api: this.#api,
      manager,
      started,
      urls: this.#urls,
      post: (thread, event, transfer) => this.#post(thread, event, transfer),
      ended: () => {
        manager.host = undefined;
        Atomics.add(manager.intro.head, board.EPOCH, 1);
        Atomics.compareExchange(manager.intro.head, board.STATE, board.STOPPING, board.STOPPED);
      },
    };
    if (started.pool === undefined) manager.host = new LoopHost(context);
    else manager.host = started.pool.hosted ? new HostedHost(context) : new PoolHost(context, started.pool);
    this.#warnOfSurplus();
  }

  #stop(
    from: ThreadRecord,
    message: Extract<ToService, { op: "stop" }>,
    reply: ((value: unknown) => void) | undefined,
  ): void {
    const host = this.#managers.get(message.key)?.host;
    const nothing: StopReport = { completed: 0, cancelled: 0, terminated: 0 };
    if (host === undefined) {
      reply?.(nothing);
      return;
    }
    const report = host.stop(message);
    // Asked by one of its own workers, whose task cannot end before it has its answer.
    if (host.threadIds().includes(from.id)) reply?.(nothing);
    else void report.then(reply);
  }

  #warnOfSurplus(): void {
    if (this.#warned) return;
    let running = 0;
    for (const manager of this.#managers.values()) if (manager.state === "running") running += 1;
    if (running <= MAX_QUIET_MANAGERS) return;
    this.#warned = true;
    logger().warn(
      { running, limit: MAX_QUIET_MANAGERS },
      `${running} managers run in this process; each has threads of its own. Share managers by id through the lineage instead of making one per request or job.\n${formatManagerTree(buildTree(this.#api, this.#managers.values()))}`,
    );
  }
}
