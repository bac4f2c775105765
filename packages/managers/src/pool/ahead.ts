/**
 * How many tasks a busy worker is given ahead of time, so that short tasks do not each pay a round trip. Given ahead is
 * not given away: each can be taken back until the worker begins it. Pure policy.
 */

/** The work that a worker may have in hand, in microseconds. */
const IN_HAND_US = 4_000;

/**
 * @param recentUs how long the worker's tasks took lately; 0: not known yet.
 * @param ahead how many it has in hand.
 * @param queued how many wait.
 * @param workers how many share the queue.
 * @param limit how many it can hold.
 */
export function giveAhead(recentUs: number, ahead: number, queued: number, workers: number, limit: number): number {
  if (recentUs === 0) return 0;
  const inHand = Math.min(limit, Math.floor(IN_HAND_US / recentUs));
  const fairShare = Math.ceil(queued / workers);
  // Topped up in halves, so that tasks travel in batches; the last ones go all together, so that submitters may send
  // what follows straight to the worker.
  if (ahead > inHand / 2 && ahead + queued > inHand) return 0;
  return Math.max(0, Math.min(inHand - ahead, fairShare));
}
