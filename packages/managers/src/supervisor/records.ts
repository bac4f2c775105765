import { STATE, stateName } from "../board.ts";
import type { Introduction, Kind, ManagerId, Started } from "../protocol.ts";
import type { ManagerHost } from "./host-api.ts";

/** A manager as the supervisor keeps it. */
export class ManagerRecord {
  readonly intro: Introduction;
  started: Started | undefined;
  host: ManagerHost | undefined;

  constructor(intro: Introduction) {
    this.intro = intro;
  }

  get ownerId(): number {
    return this.intro.owner[0]?.id as number;
  }

  get state(): "idle" | "running" | "stopping" | "stopped" {
    return stateName(Atomics.load(this.intro.head, STATE));
  }

  get label(): string {
    return managerLabel(this.intro.kind, this.intro.id);
  }
}

/** What tells a thread's managers apart: `1` and `"1"` are two ids. */
export function nameOf(kind: Kind, id: ManagerId | undefined): string {
  return `${kind}:${typeof id}:${String(id)}`;
}

/** How people call a manager: `pool "io"`, `loop (default)`. */
export function managerLabel(kind: "loop" | "thread", id: string | number | undefined): string {
  return `${kind === "loop" ? "loop" : "pool"} ${id === undefined ? "(default)" : typeof id === "number" ? id : JSON.stringify(id)}`;
}
