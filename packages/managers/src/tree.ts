import type { ThreadKind } from "@duck-ts/runtime";
import { line } from "@duck-ts/runtime/internal";
import type { ManagerId } from "./protocol.ts";
import { SERVICE } from "./protocol.ts";
import { connectService } from "./service-client.ts";

/** A manager in the tree. */
export interface ManagerNode {
  readonly kind: "loop" | "thread";
  readonly id: ManagerId | undefined;
  readonly state: "unstarted" | "idle" | "running" | "stopping" | "stopped";
  readonly taskType: string | null;
  /** Threads that run its tasks. */
  readonly workers: number;
  readonly queued: number;
  readonly active: number;
  readonly completed: number;
  readonly failed: number;
}

/** A thread with the managers it owns and the threads it asked for. */
export interface ThreadNode {
  readonly id: number;
  readonly name: string;
  readonly kind: ThreadKind;
  /** `false`: it has ended, and is shown because threads below it live. */
  readonly alive: boolean;
  readonly managers: readonly ManagerNode[];
  readonly children: readonly ThreadNode[];
}

/**
 * Every thread of the process that duck-ts knows, and what each owns, from the root down. Asks the supervisor, so it
 * does not depend on any thread being free; does not block.
 */
export function managerTree(): Promise<ThreadNode> {
  connectService();
  return line().askAsync<ThreadNode>(SERVICE, { op: "tree" });
}

/** The tree as text for people: a line a thread, a line a manager. */
export function formatManagerTree(root: ThreadNode): string {
  const lines: string[] = [];
  const visit = (thread: ThreadNode, first: string, rest: string): void => {
    lines.push(`${first}${thread.name} [${thread.kind} ${thread.id}]${thread.alive ? "" : " (ended)"}`);
    const below = [...thread.managers.map((manager) => ({ manager })), ...thread.children.map((child) => ({ child }))];
    below.forEach((entry, index) => {
      const last = index === below.length - 1;
      const head = `${rest}${last ? "└─ " : "├─ "}`;
      if ("child" in entry) visit(entry.child, head, `${rest}${last ? "   " : "│  "}`);
      else lines.push(`${head}${formatManager(entry.manager)}`);
    });
  };
  visit(root, "", "");
  return lines.join("\n");
}

function formatManager(manager: ManagerNode): string {
  const name = `${manager.kind === "loop" ? "loop" : "pool"} ${manager.id === undefined ? "(default)" : JSON.stringify(manager.id)}`;
  const guard = manager.taskType === null ? "" : ` takes ${JSON.stringify(manager.taskType)}`;
  if (manager.state === "unstarted" || manager.state === "stopped") return `${name}: ${manager.state}`;
  return `${name}: ${manager.state}${guard}, ${manager.workers} thread${manager.workers === 1 ? "" : "s"}, ${manager.active} active, ${manager.queued} queued, ${manager.completed} done, ${manager.failed} failed`;
}
