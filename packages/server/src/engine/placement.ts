/**
 * Which worker gets a request: by expected work, not by count. Pure; the dispatcher asks, nothing here waits or sends.
 *
 * Light requests fill the workers from the left, heavy ones from the right, and one worker stays without heavy ones while
 * there are light ones about. So a light request meets a heavy one only where there is a single thread.
 */
import type { CostClass } from "./route-cost.ts";

/** What placement knows of a worker. */
export interface WorkerLoad {
  /** Ready, turning, not on its way out. */
  readonly usable: boolean;
  /** Room for one more request at all. */
  readonly hasRoom: boolean;
  /** Microseconds of work sent to it and not done. */
  readonly expectedUs: number;
  /** Synchronous requests with it that may hold the thread long: heavy or unknown. */
  readonly exclusive: number;
  /** Requests with it that await, streams and sockets among them. */
  readonly awaiting: number;
  /** How busy its loop was lately, 0 to 1. */
  readonly busy: number;
}

/** What placement knows of a request. */
export interface RequestLoad {
  readonly kind: CostClass;
  readonly async: boolean;
  /** How long it has been waiting. */
  readonly waitedMs: number;
  /** Microseconds that one of its route holds a thread. */
  readonly costUs: number;
  /** How many of its kind wait behind it. */
  readonly behind: number;
}

/** Above this a worker takes no more light requests; they wait on main, where they can still go elsewhere. */
export const LIGHT_BUDGET_US = 5000;
/** Up to here a worker is as good as idle, and the leftmost such one is taken, so that a turn's requests share a message. */
const FILL_US = 400;
/** After so long a heavy request goes where others await too, rather than starve. */
export const HEAVY_PATIENCE_MS = 250;
const BUSY = 0.7;
/**
 * Of heavy requests that are over before a thread counts as held, one may wait with a thread for the one before it: between
 * two of them the thread need not ask main. Not of others: main can give them to whichever thread is free first.
 */
const AHEAD_UP_TO_US = 8000;

/**
 * The place of the worker for a request, or -1: it has to wait.
 * @param lightTraffic whether light requests came lately, for whom one worker is left.
 */
export function place(request: RequestLoad, workers: readonly WorkerLoad[], lightTraffic: boolean): number {
  return request.kind === "light" ? placeLight(request, workers) : placeExclusive(request, workers, lightTraffic);
}

function placeLight(request: RequestLoad, workers: readonly WorkerLoad[]): number {
  let best = -1;
  let bestScore = Number.POSITIVE_INFINITY;
  for (let i = 0; i < workers.length; i++) {
    const worker = workers[i];
    if (worker === undefined || !worker.usable || !worker.hasRoom || worker.exclusive > 0) continue;
    if (worker.expectedUs >= LIGHT_BUDGET_US) continue;
    let score = worker.expectedUs < FILL_US ? 0 : worker.expectedUs;
    if (worker.busy > BUSY) score += 2000 * worker.busy;
    // Synchronous ones keep off threads where others await, as long as that costs next to nothing.
    if (!request.async && worker.awaiting > 0) score += FILL_US;
    if (score < bestScore) {
      best = i;
      bestScore = score;
      if (score === 0) break;
    }
  }
  return best;
}

function placeExclusive(request: RequestLoad, workers: readonly WorkerLoad[], lightTraffic: boolean): number {
  let usable = 0;
  let taken = 0;
  let best = -1;
  let bestScore = Number.POSITIVE_INFINITY;
  let calm = false;
  for (let i = workers.length - 1; i >= 0; i--) {
    const worker = workers[i];
    if (worker === undefined || !worker.usable) continue;
    usable++;
    if (worker.exclusive > 0) {
      taken++;
      continue;
    }
    if (!worker.hasRoom) continue;
    if (worker.awaiting === 0) calm = true;
    const score = worker.expectedUs + (worker.awaiting > 0 ? 1_000_000 : 0);
    if (score < bestScore) {
      best = i;
      bestScore = score;
    }
  }
  // One worker is left to the light ones and to those who await.
  const isFull = best === -1 || (usable > 1 && taken >= usable - 1 && lightTraffic);
  if (isFull) return taken === usable && lightTraffic ? -1 : placeAhead(request, workers);
  // Every free thread has others awaiting on it: wait for a thread that has not, but not for ever.
  if (!calm && taken > 0 && request.waitedMs < HEAVY_PATIENCE_MS) return -1;
  return best;
}

/** Only where so many wait that each thread finds work anyway: the last ones are left to whoever is free first. */
function placeAhead(request: RequestLoad, workers: readonly WorkerLoad[]): number {
  if (request.kind !== "heavy" || request.async || request.costUs > AHEAD_UP_TO_US) return -1;
  if (request.behind < workers.length) return -1;
  return workers.findLastIndex(
    ({ usable, hasRoom, exclusive, awaiting }) => usable && hasRoom && exclusive === 1 && awaiting === 0,
  );
}
