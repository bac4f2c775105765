import * as board from "../board.ts";
import type { PoolWorker, Queued } from "./pool-worker.ts";

/** What a pool's worker has left behind. */
export type Losses = {
  /** Went with it. `counted`: its end is counted already. */
  readonly lost: readonly { readonly thread: number; readonly callId: number; readonly counted: boolean }[];
  /** Had not begun: it waits again. */
  readonly back: readonly Queued[];
};

/** Takes a dead worker's tasks from it: what it had begun is lost, the rest comes back. */
export function lossesOf(worker: PoolWorker, head: board.Words): Losses {
  const lost: { thread: number; callId: number; counted: boolean }[] = [];
  const back: Queued[] = [];
  const { turn, block } = worker;
  let hadTurn = Atomics.load(block, board.RUN_STATE) !== board.RUN_NONE;
  const endTurn = (): boolean => {
    const its = Atomics.compareExchange(block, board.RUN_STATE, board.RUN_RUNNING, board.RUN_COUNTED);
    if (its === board.RUN_RUNNING) Atomics.sub(head, board.ACTIVE, 1);
    return its === board.RUN_RUNNING;
  };
  for (const given of [...worker.given]) {
    const thread = given.from.id;
    const callId = given.task.message[1];
    const hasTurn = thread === turn.thread && callId === turn.callId;
    if (worker.takeBack(given)) {
      if (hasTurn) {
        // It died between the turn and the claim.
        endTurn();
        hadTurn = false;
      }
      back.push(given);
    } else if (given.task.moved && worker.isOpen(given)) {
      // It had not begun, but what was moved to the worker is gone with it.
      Atomics.sub(head, board.AHEAD, 1);
      lost.push({ thread, callId, counted: hasTurn });
    }
  }
  if (hadTurn) lost.push({ ...turn, counted: !endTurn() });
  for (const { from, task } of worker.besides.splice(0)) {
    Atomics.sub(head, board.ACTIVE, 1);
    lost.push({ thread: from.id, callId: task.message[1], counted: false });
  }
  return { lost, back };
}
