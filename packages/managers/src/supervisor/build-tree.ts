import type { SupervisorApi, ThreadLink } from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import type { ManagerNode, ThreadNode } from "../tree.ts";
import type { ManagerRecord } from "./records.ts";

type Growing = {
  readonly link: ThreadLink;
  alive: boolean;
  readonly managers: ManagerNode[];
  readonly children: Growing[];
};

/** The tree of threads and managers as the supervisor knows it now. Dead threads appear where living ones hang below. */
export function buildTree(api: SupervisorApi, managers: Iterable<ManagerRecord>): ThreadNode {
  const nodes = new Map<number, Growing>();
  let root: Growing | undefined;
  const place = (links: readonly ThreadLink[]): Growing => {
    const [link, ...above] = links as [ThreadLink, ...ThreadLink[]];
    const known = nodes.get(link.id);
    if (known !== undefined) return known;
    const node: Growing = { link, alive: false, managers: [], children: [] };
    nodes.set(link.id, node);
    if (above.length > 0) place(above).children.push(node);
    else root ??= node;
    return node;
  };
  for (const thread of api.threads()) if (thread.links.length > 0) place(thread.links).alive = true;
  const { self } = api;
  const parent = self.parent;
  if (parent !== null && nodes.has(parent.id)) {
    (nodes.get(parent.id) as Growing).children.push({
      link: { id: self.id, name: self.name, kind: self.kind },
      alive: true,
      managers: [],
      children: [],
    });
  }
  for (const manager of managers) place(manager.intro.owner).managers.push(describe(manager));
  return finish(root as Growing);
}

function finish(node: Growing): ThreadNode {
  const children = node.children.sort((a, b) => a.link.id - b.link.id).map(finish);
  return {
    id: node.link.id,
    name: node.link.name,
    kind: node.link.kind,
    alive: node.alive,
    managers: node.managers,
    children,
  };
}

function describe({ intro, started, state }: ManagerRecord): ManagerNode {
  const { head } = intro;
  const outstanding = Atomics.load(head, board.OUTSTANDING);
  const queued = intro.kind === "loop" ? 0 : board.queued(head);
  return {
    kind: intro.kind,
    id: intro.id,
    state: state === "idle" ? "unstarted" : state === "running" && outstanding === 0 ? "idle" : state,
    taskType: started?.taskType ?? null,
    workers: Atomics.load(head, board.WORKERS),
    queued,
    active: outstanding - queued,
    completed: Atomics.load(head, board.COMPLETED),
    failed: Atomics.load(head, board.FAILED),
  };
}
