/** What a route costs its thread, learnt from what its requests did. Pure. */

/** What the dispatcher makes of a route. */
export type CostClass =
  /** Nothing is known: it may block for seconds, so it gets a thread where it can hurt nobody. */
  | "unknown"
  /** Holds the thread so briefly that many may queue on one. */
  | "light"
  /** Gets a thread for itself. */
  | "heavy";

/** From here on a request is heavy, in microseconds of its thread. */
const HEAVY_US = 1000;
/** Below this it is light again: some distance, so that a route does not flicker. */
const LIGHT_US = 500;
/** What an unknown request is taken to cost. */
const UNKNOWN_US = 2000;
const ENOUGH = 2;

/** The moving averages of one route. */
export class RouteCost {
  /** Microseconds of the thread that a request takes, on average. */
  costUs: number = UNKNOWN_US;
  /** How many of the last ones were asynchronous, 0 to 1. */
  asyncShare = 0;
  samples = 0;
  kind: CostClass = "unknown";

  /** Takes in one finished request. */
  record(costUs: number, async: boolean): void {
    this.samples++;
    // The very first one ran cold: the second stands in its place.
    const weight = this.samples <= 2 ? 1 : this.samples < 8 ? 1 / 3 : 0.1;
    this.costUs += weight * (costUs - this.costUs);
    this.asyncShare += (this.samples === 1 ? 1 : 0.1) * ((async ? 1 : 0) - this.asyncShare);
    if (this.kind === "light" ? this.costUs >= HEAVY_US : this.costUs >= LIGHT_US) this.kind = "heavy";
    else if (this.samples >= ENOUGH || costUs < LIGHT_US) this.kind = "light";
  }

  /** A request of the route was seen to hold its thread for so long, and still does. */
  suspect(heldUs: number): void {
    if (heldUs > this.costUs) this.costUs += 0.3 * (heldUs - this.costUs);
    if (this.samples === 0) this.costUs = Math.max(this.costUs, heldUs);
    if (this.costUs >= HEAVY_US) this.kind = "heavy";
  }

  /** Does it mostly await? */
  get async(): boolean {
    return this.asyncShare > 0.5;
  }
}
