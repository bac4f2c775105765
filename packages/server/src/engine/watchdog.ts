/**
 * Looks after the workers while there is anything to look after, the more often the more can go wrong: which thread is
 * held by its handler (what it has not begun is taken back), whose deadline has passed, who did not heed the abort.
 */
import type { Dispatcher } from "./dispatcher.ts";
import type { InFlight } from "./in-flight.ts";
import { RUNNING, SENT } from "./slots.ts";
import type { WorkerLink } from "./worker-link.ts";

/** How often it looks. */
const TICK_MS = 10;
/** How often while requests come one by one and nothing holds a thread: each look wakes a thread that sleeps. */
const CALM_MS = 50;
/** It goes over to that after so many calm looks, and ends after so many idle ones. */
const CALM_TICKS = 10;
const IDLE_TICKS = 20;
/** A handler that holds its thread for so long gets nothing new, and what waits behind it goes elsewhere. */
const BLOCKED_AFTER_MS = 10;
/** How long an aborted asynchronous handler may take to end, before its thread is given up. */
const ABORT_GRACE_MS = 1000;

/** The rest of the process grows too: less than this is nobody's fault. */
const LEAST_GROWTH_BYTES = 128 * 1024 * 1024;

/** What the watchdog asks of whoever owns the workers. */
export interface WatchdogActions {
  /** Terminate it now, start another one; `culprit` has had its 504. */
  kill(link: WorkerLink, culprit: InFlight | undefined, reason: "timeout" | "stuck"): void;
  /** Its thread is held by a call that must not be terminated: another one shall take its place meanwhile. */
  sideline(link: WorkerLink): void;
  /** Nothing holds it any more. */
  rejoin(link: WorkerLink): void;
  /** It has taken more memory than a thread may: terminate it before V8 does so to the whole process. */
  outOfMemory(link: WorkerLink): void;
  /** Take no more requests, end when only requests without clients are left. */
  drain(link: WorkerLink, reason: "stuck"): void;
}

export class Watchdog {
  readonly #dispatcher: Dispatcher;
  readonly #actions: WatchdogActions;
  readonly #memoryLimitBytes: number;
  readonly #workers: () => Iterable<WorkerLink>;
  #timer: NodeJS.Timeout | undefined;
  #everyMs = CALM_MS;
  /** Looks in a row at which nothing was urgent, and nothing at all was there. */
  #calm = 0;
  #idle = 0;

  constructor(
    dispatcher: Dispatcher,
    workers: () => Iterable<WorkerLink>,
    memoryLimitBytes: number,
    actions: WatchdogActions,
  ) {
    this.#memoryLimitBytes = Math.max(memoryLimitBytes, LEAST_GROWTH_BYTES);
    this.#dispatcher = dispatcher;
    this.#workers = workers;
    this.#actions = actions;
  }

  /** A request comes that has so much time. */
  wake(timeoutMs: number): void {
    this.#idle = 0;
    if (this.#timer !== undefined && this.#everyMs === TICK_MS) return;
    const calm = this.#isAlone && timeoutMs >= CALM_TICKS * CALM_MS;
    if (calm && this.#timer !== undefined) return;
    this.#lookEvery(calm ? CALM_MS : TICK_MS);
    // Whoever is found to stand still at the next look has done so since this one.
    if (!calm) this.#tick();
  }
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #lookEvery(everyMs: number): void {
    clearInterval(this.#timer);
    this.#calm = 0;
    this.#everyMs = everyMs;
    this.#timer = setInterval(this.#tick, everyMs);
  }

  /** Nothing is with the workers, and nothing waits for them. */
  get #isAlone(): boolean {
    return this.#dispatcher.custody.active === 0 && this.#dispatcher.queue.length === 0;
  }

  readonly #tick = (): void => {
    const now = performance.now();
    let urgent = this.#dispatcher.queue.length > 0;
    let unanswered = 0;
    for (const link of this.#workers()) {
      if (link.count === 0 && !link.blocked) continue;
      this.#lookAt(link, now);
      urgent ||= link.blocked || link.slots.current() !== -1 || isDue(link, now);
      for (const request of link.requests) if (request?.stage === "sent") unanswered++;
    }
    urgent ||= unanswered > 1;
    this.#dispatcher.expire(now);
    this.#calm = urgent ? 0 : this.#calm + 1;
    this.#idle = this.#isAlone ? this.#idle + 1 : 0;
    if (urgent && this.#everyMs !== TICK_MS) this.#lookEvery(TICK_MS);
    else if (this.#everyMs === TICK_MS && this.#calm >= CALM_TICKS) this.#lookEvery(CALM_MS);
    else if (this.#everyMs === CALM_MS && this.#idle >= IDLE_TICKS) this.stop();
  };

  #lookAt(link: WorkerLink, now: number): void {
    this.#watchThread(link, now);
    for (let slot = 0; slot < link.high && link.state !== "dead"; slot++) {
      const request = link.requests[slot];
      if (request === undefined) continue;
      if (isOpen(request) && now >= request.deadline) this.#late(link, slot, request, now);
      else if (now >= request.graceUntil) this.#unheeding(link, request);
    }
    this.#heldTooLong(link, now);
    this.#watchMemory(link);
  }

  /**
   * A thread that is held cannot say how much it takes, and from Node 24 on one that reaches its heap limit may abort the
   * whole process. So it is the growth of the process that counts while a thread is held.
   */
  #watchMemory(link: WorkerLink): void {
    if (!link.blocked || link.state === "dead" || link.state === "sidelined") return;
    if (process.memoryUsage.rss() - link.rssAtBlock > this.#memoryLimitBytes) this.#actions.outOfMemory(link);
  }

  /** Is its thread turning? */
  #watchThread(link: WorkerLink, now: number): void {
    const progress = link.slots.progress();
    if (progress !== link.lastProgress || link.heard) {
      link.lastProgress = progress;
      link.heard = false;
      link.pinged = false;
      link.movedAt = now;
      if (link.blocked) this.#unblock(link);
      return;
    }
    if (link.slots.current() !== -1) {
      if (!link.blocked && now - link.movedAt >= BLOCKED_AFTER_MS) this.#block(link, now);
      return;
    }
    if (!link.pinged) {
      link.pinged = true;
      link.pingedAt = now;
      link.post({ type: "ping" });
    } else if (!link.blocked && now - link.pingedAt >= 2 * BLOCKED_AFTER_MS) this.#block(link, now);
  }

  #block(link: WorkerLink, now: number): void {
    link.blocked = true;
    link.rssAtBlock = process.memoryUsage.rss();
    link.blockedSince = link.movedAt;
    const holder = link.requests[link.slots.current()];
    if (holder !== undefined && !holder.learnt) holder.route.cost.suspect((now - link.movedAt) * 1000);
    this.#dispatcher.takeBack(link);
  }

  #unblock(link: WorkerLink): void {
    link.blocked = false;
    if (link.state === "sidelined") this.#actions.rejoin(link);
    else this.#dispatcher.pump();
  }

  /** A request that has not begun to answer is past its deadline; its client may have gone before that. */
  #late(link: WorkerLink, slot: number, request: InFlight, now: number): void {
    const state = link.slots.state(slot);
    if (state === SENT) {
      // It never got the thread, and that was not its fault: elsewhere, with its time from then on.
      this.#dispatcher.takeBack(link);
      return;
    }
    const holds = link.slots.current() === slot && state === RUNNING;
    this.#dispatcher.timeOut(request, !holds);
    if (holds) {
      if (request.route.info.kill === "never") this.#actions.sideline(link);
      else this.#actions.kill(link, request, "timeout");
      return;
    }
    request.deadline = Number.POSITIVE_INFINITY;
    request.graceUntil = now + ABORT_GRACE_MS;
  }

  /** It was told, and its handler still has not ended. */
  #unheeding(link: WorkerLink, request: InFlight): void {
    request.graceUntil = Number.POSITIVE_INFINITY;
    if (request.route.info.kill === "never") {
      if (link.blocked) this.#actions.sideline(link);
      return;
    }
    if (link.blocked) this.#actions.kill(link, request, "timeout");
    else this.#actions.drain(link, "stuck");
  }

  /** Nobody is late by himself (streams, sockets), yet the thread has stood still longer than any of its requests may. */
  #heldTooLong(link: WorkerLink, now: number): void {
    if (!link.blocked || link.state === "dead" || link.state === "sidelined") return;
    let longest = 0;
    let never = false;
    for (let slot = 0; slot < link.high; slot++) {
      const request = link.requests[slot];
      if (request === undefined) continue;
      longest = Math.max(longest, request.route.timeoutMs);
      if (request.route.info.kill === "never") never = true;
    }
    if (longest === 0 || now - link.blockedSince < longest + ABORT_GRACE_MS) return;
    if (never) this.#actions.sideline(link);
    else this.#actions.kill(link, undefined, "timeout");
  }
}

/** Is its handler the one who has yet to answer? */
function isOpen({ stage, abandoned }: InFlight): boolean {
  return stage === "sent" || (stage === "settled" && !abandoned);
}

/** Whether one of its requests may want something before the next calm look but one. */
function isDue(link: WorkerLink, now: number): boolean {
  for (let slot = 0; slot < link.high; slot++) {
    const request = link.requests[slot];
    if (request !== undefined && Math.min(request.deadline, request.graceUntil) - now < 2 * CALM_MS) return true;
  }
  return false;
}
