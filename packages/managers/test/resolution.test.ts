/** Which manager a look-up gives: per id, the whole lineage, live, loops and pools apart. */
import { inspect } from "node:util";
import {
  explainManager,
  formatManagerTree,
  getOrCreateLoopManager,
  getOrCreateThreadManager,
  LoopManager,
  ManagerNotFound,
  ManagerNotRunning,
  managerTree,
  type ThreadNode,
  ThreadPoolManager,
} from "@duck-ts/managers";
import { currentThread } from "@duck-ts/runtime";
import { describe, expect, test } from "vitest";
import { looksUpAfterwards, seesLater } from "./fixtures/lookups.mjs";
import * as tasks from "./fixtures/tasks.mjs";
import { eventually, failure, newGate, open, reached, thrownBy } from "./support/gates.ts";
import { orphanOf, rawOwner } from "./support/lineage.ts";
import { freshId, kinds, quiet, start, startLoop, startPool } from "./support/managers.ts";
import { inRawWorker } from "./support/raw-worker.ts";

const own = { loop: getOrCreateLoopManager, thread: getOrCreateThreadManager };

describe.each(kinds)("looking up a %s manager", (kind) => {
  test("gives the same one every time, also by options and as the default", () => {
    const id = freshId();
    expect(own[kind](id)).toBe(own[kind]({ id }));
    expect(own[kind]()).toBe(own[kind]({}));
    expect(own[kind]()).toBe(own[kind]({ id: undefined }));
    expect(own[kind]().id).toBeUndefined();
  });

  test("is the only way to one: `new` says so", () => {
    const Manager = own[kind]().constructor as unknown as new () => unknown;
    expect(() => new Manager()).toThrow(
      /^(LoopManager cannot .* getOrCreateLoop|ThreadPoolManager cannot .* getOrCreateThread)/,
    );
  });

  test("takes 0 and '' for ids like any other, apart from each other and from the default", () => {
    const found = [own[kind](0), own[kind]("0"), own[kind](""), own[kind]()];
    expect(new Set(found).size).toBe(4);
    expect(found.map(({ id }) => id)).toEqual([0, "0", "", undefined]);
  });

  test("refuses ids that are none, and strictlyGet with forceCreate", () => {
    for (const id of [null, Number.NaN, Number.POSITIVE_INFINITY, {}, [], Symbol("x"), true])
      expect(thrownBy(() => own[kind]({ id } as never))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => own[kind]([] as never))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => own[kind]({ strictlyGet: true, forceCreate: true }))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => own[kind]({ force: true } as never))).toBeInstanceOf(TypeError);
  });

  test("finds an id that a grandparent has while the parent has some other id", async () => {
    const id = freshId();
    own[kind](id);
    const parent = startPool();
    await parent.submitTask(tasks.creates(kind, freshId("other"), undefined));
    const seen = await parent.submitTask(tasks.looksUp(kind, { id, strictlyGet: true }));
    expect(seen).toMatchObject({ inherited: true, ownerId: currentThread().id });
  });

  test("creates what nobody has for the current thread, not for an ancestor", async () => {
    const id = freshId();
    const pool = startPool();
    const seen = await pool.submitTask(tasks.looksUp(kind, id));
    expect(seen).toMatchObject({ inherited: false, state: "idle" });
    expect(seen.ownerId).not.toBe(currentThread().id);
    expect(explainManager(kind, id).found).toBe(false);
  });

  test("of siblings gives each its own; a parent's, made later, is found where none was before", async () => {
    const id = freshId();
    const [one, other] = [startPool(), startPool()];
    const seenBy = async (pool: ThreadPoolManager): Promise<number> =>
      (await pool.submitTask(tasks.looksUp(kind, id))).ownerId;
    expect(await seenBy(one)).not.toBe(await seenBy(other));
    const live = freshId();
    const strictly = { id: live, strictlyGet: true };
    expect(await failure(one.submitTask(tasks.looksUp(kind, strictly), quiet))).toBeInstanceOf(ManagerNotFound);
    own[kind](live);
    expect(await one.submitTask(tasks.looksUp(kind, strictly))).toMatchObject({ inherited: true });
  });

  test("is live inside one running thread, which has looked before and remembers what it found", async () => {
    const id = freshId();
    const began = newGate();
    const goOn = newGate();
    const pool = startPool();
    const seen = pool.submitTask(seesLater(kind, id, began, goOn));
    await reached(began);
    own[kind](id);
    open(goOn);
    expect(await seen).toEqual({ before: "DUCK_MANAGER_NOT_FOUND", after: currentThread().id });
  });

  test("that finds nothing and may not create names each thread that was asked and what it has", async () => {
    const [known, wanted] = [freshId("known"), freshId("wanted")];
    own[kind](known);
    const error = (await failure(
      startPool({ threadNamePrefix: "asker" }).submitTask(
        tasks.looksUp(kind, { id: wanted, strictlyGet: true }),
        quiet,
      ),
    )) as ManagerNotFound;
    expect(error).toBeInstanceOf(ManagerNotFound);
    expect(error.message).toContain(`"${wanted}"`);
    expect(error.asked).toHaveLength(2);
    expect(error.asked[0]).toMatch(/"asker-1".*has none/);
    expect(error.asked[1]).toContain(`"${known}"`);
  });

  test("with forceCreate shadows an ancestor's for this thread and those below, and nobody else", async () => {
    const id = freshId();
    const above = own[kind](id);
    const pool = startPool();
    const owner = await pool.submitTask(tasks.creates(kind, id, undefined));
    expect((await pool.submitTask(tasks.looksUp(kind, id))).ownerId).toBe(owner);
    expect(own[kind](id)).toBe(above);
    expect((await startPool().submitTask(tasks.looksUp(kind, id))).ownerId).toBe(currentThread().id);
  });

  test("with forceCreate over one's own drains the old one, stops it, and gives the new one from then on", async () => {
    const id = freshId();
    const old = own[kind](id);
    if (old instanceof LoopManager) old.start();
    else old.start({ maxWorkers: 1 });
    const [begun, gate] = [newGate(), newGate()];
    const running = old.submitTask(tasks.holdsTurning(begun, gate, "drained"));
    await reached(begun);
    const fresh = own[kind]({ id, forceCreate: true });
    expect(fresh).not.toBe(old);
    expect(own[kind](id)).toBe(fresh);
    await eventually(() => old.state === "stopping", "the old manager to be stopping");
    open(gate);
    expect(await running).toBe("drained");
    await eventually(() => old.state === "stopped", "the old manager to be stopped");
    expect(thrownBy(() => old.submitTask(tasks.nothing))).toBeInstanceOf(ManagerNotRunning);
  });

  // The story: tasks leave a thread at the end of its turn, and the news of the new manager left at once. The old one was
  // found to have nothing to do, ended, and dropped what came then.
  test("with forceCreate in the turn in which the old one was given tasks lets it finish them", async () => {
    const old = start(kind);
    const given = [1, 2, 3].map((value) => old.submitTask(tasks.echo(value)));
    own[kind]({ id: old.id, forceCreate: true });
    expect(thrownBy(() => old.submitTask(tasks.nothing))).toBeInstanceOf(ManagerNotRunning);
    expect(await Promise.all(given)).toEqual([1, 2, 3]);
  });

  test("that is remembered never outlives the manager: terminate() of its owner is known at once below it", async () => {
    const id = freshId();
    const owner = await rawOwner({ [kind]: [id] });
    const [found, goOn] = [newGate(), newGate()];
    const seen = orphanOf(owner.links, { kind, id, found, goOn });
    await reached(found);
    await owner.terminate();
    await eventually(async () => !holds(await managerTree(), id), "the terminated owner's manager to be forgotten");
    open(goOn);
    expect(await seen).toEqual({
      before: owner.id,
      ran: "on the owner's",
      after: "DUCK_MANAGER_NOT_FOUND",
      remembered: "DUCK_MANAGER_NOT_RUNNING",
    });
    expect(explainManager(kind, id).found).toBe(false);
  });

  test("is told by explainManager before it is done: whose, inherited or not, who was asked; it never creates", async () => {
    const id = freshId();
    expect(explainManager(kind, id)).toMatchObject({ kind, id, found: false, owner: null, inherited: false });
    expect(explainManager(kind, id).found).toBe(false);
    own[kind](id);
    expect(explainManager(kind, id)).toMatchObject({
      found: true,
      inherited: false,
      owner: { id: currentThread().id },
    });
    const below = await startPool().submitTask(looksUpAfterwards(kind, id));
    expect(below).toMatchObject({ found: true, inherited: true, ownerId: currentThread().id });
    expect(below.asked).toEqual([
      [expect.any(Number), false],
      [currentThread().id, true],
    ]);
    expect(thrownBy(() => explainManager("pool" as never))).toBeInstanceOf(TypeError);
  });

  test("in a foreign thread, a raw Worker, goes up its lineage as anywhere else", async () => {
    const id = freshId();
    own[kind](id);
    expect(await inRawWorker("looksUp", kind, { id, strictlyGet: true })).toMatchObject({
      inherited: true,
      ownerId: currentThread().id,
    });
    const fresh = freshId();
    expect(await inRawWorker("looksUp", kind, fresh)).toMatchObject({ inherited: false });
    expect(explainManager(kind, fresh).found).toBe(false);
  });

  test("of a raw Worker that has not come to its event loop since it made it is found below, and works", async () => {
    const id = freshId();
    const [stands, found, goOn] = [newGate(), newGate(), newGate()];
    const owner = await rawOwner({ [kind]: [id] }, {}, stands);
    open(goOn);
    expect(await orphanOf(owner.links, { kind, id, found, goOn })).toMatchObject({
      before: owner.id,
      ran: "on the owner's",
    });
    open(stands);
  });
});

test("loops and pools of one id are two managers", () => {
  const id = freshId();
  expect(getOrCreateLoopManager(id)).toBeInstanceOf(LoopManager);
  expect(getOrCreateThreadManager(id)).toBeInstanceOf(ThreadPoolManager);
});

test("a thread in the middle that is dead takes its own managers with it, and leaves the chain to those above", async () => {
  const [above, middle] = [freshId("above"), freshId("middle")];
  startLoop({ id: above });
  const owner = await rawOwner({ loop: [middle] });
  await owner.terminate();
  await eventually(async () => !holds(await managerTree(), middle), "the middle's manager to be forgotten");
  const goOn = newGate();
  open(goOn);
  const seen = await orphanOf(owner.links, { kind: "loop", id: above, found: newGate(), goOn });
  expect(seen).toMatchObject({ before: currentThread().id, ran: "on the owner's", after: currentThread().id });
  expect(await orphanOf(owner.links, { kind: "loop", id: middle, found: newGate(), goOn })).toMatchObject({
    before: "DUCK_MANAGER_NOT_FOUND",
  });
});

test("allInstances() and registry() tell of what lives, by thread and id", async () => {
  const [loopId, poolId] = [freshId("l"), freshId("p")];
  const loop = getOrCreateLoopManager(loopId);
  const pool = getOrCreateThreadManager(poolId);
  expect(LoopManager.allInstances()).toContain(loop);
  expect(LoopManager.allInstances()).not.toContain(pool);
  expect(ThreadPoolManager.allInstances()).toContain(pool);
  const mine = LoopManager.registry().get(currentThread().id);
  expect(mine?.get(loopId)).toMatchObject({ id: loopId, kind: "loop", owner: currentThread() });
  expect(ThreadPoolManager.registry().get(currentThread().id)?.has(loopId)).toBe(false);
  const replaced = getOrCreateLoopManager({ id: loopId, forceCreate: true });
  await eventually(() => !LoopManager.allInstances().includes(loop), "the replaced manager to be gone");
  expect(LoopManager.allInstances()).toContain(replaced);
});

test("managerTree() holds every thread and what it owns; formatManagerTree() is read at a glance", async () => {
  const pool = startPool({ maxWorkers: 2, taskType: "render", threadNamePrefix: "painter" });
  startLoop();
  const unstarted = getOrCreateLoopManager(freshId("unstarted"));
  await pool.submitTask(tasks.creates("loop", "inside", undefined), { taskType: "render" });
  const [begun, gate] = [newGate(), newGate()];
  const running = pool.submitTask(tasks.holds(begun, gate, 1), { taskType: "render" });
  await reached(begun);
  const tree = await managerTree();
  expect(tree).toMatchObject({ id: currentThread().id, alive: true });
  expect(tree.managers.find(({ id }) => id === pool.id)).toMatchObject({
    kind: "thread",
    state: "running",
    taskType: "render",
    active: 1,
    queued: 0,
    completed: 1,
  });
  expect(tree.managers.find(({ id }) => id === unstarted.id)).toMatchObject({ state: "unstarted", workers: 0 });
  const painter = tree.children.find(({ name }) => name.startsWith("painter"));
  expect(painter?.kind).toBe("pool");
  expect(tree.children.some(({ kind }) => kind === "supervisor")).toBe(true);
  const text = formatManagerTree(tree);
  expect(text).toContain(`pool "${pool.id}": running takes "render"`);
  expect(text).toContain(`loop "${unstarted.id}": unstarted`);
  expect(text).toMatch(/painter-1 \[pool \d+\]/);
  open(gate);
  await running;
  const idle = (await managerTree()).managers.find(({ id }) => id === pool.id);
  expect(idle?.state).toBe("idle");
});

test("toString() and inspect show class, id, state, task type and owner", async () => {
  const pool = startPool({ taskType: "render" });
  expect(String(pool)).toBe(
    `<ThreadPoolManager id="${pool.id}" state=running taskType="render" owner="${currentThread().name}">`,
  );
  expect(inspect({ pool })).toContain(String(pool));
  const seen = await startPool().submitTask(tasks.looksUp("thread", pool.id));
  expect(seen.text).toMatch(/ inherited>$/);
});

test("a look-up that was done before costs no message", async () => {
  const pool = startPool();
  // Standing still, the supervisor asked a thousand times would take longer than the bound of one answer.
  const id = freshId();
  getOrCreateLoopManager(id);
  const seen = await pool.submitTask(tasks.looksUp("loop", id));
  expect(seen.inherited).toBe(true);
  const first = getOrCreateLoopManager(id);
  for (let i = 0; i < 100_000; i++) if (getOrCreateLoopManager(id) !== first) throw new Error("another manager");
});

function holds(tree: ThreadNode, id: string): boolean {
  return tree.managers.some((manager) => manager.id === id) || tree.children.some((child) => holds(child, id));
}

test("a task's future shows how far it is, which task it is, and who has it", async () => {
  const pool = startPool();
  const [begun, gate] = [newGate(), newGate()];
  const future = pool.submitTask(tasks.holds(begun, gate, "held"));
  expect(inspect(future)).toBe(`TaskFuture { <pending>, task: '${tasks.holds.id}', taskId: '${future.taskId}' }`);
  await reached(begun);
  open(gate);
  expect(await future).toBe("held");
  expect(inspect(future)).toBe(
    `TaskFuture { 'held', task: '${tasks.holds.id}', taskId: '${future.taskId}', thread: '${future.worker?.name}' }`,
  );
});

describe.each(kinds)("a %s manager that is an argument of a task", (kind) => {
  test("is over there what its look-up would give, and comes home as the same object", async () => {
    const manager = start(kind);
    for (const elsewhere of [startPool(), startLoop()]) {
      const seen = await elsewhere.submitTask(tasks.runsOn(manager, "run"));
      expect(seen).toMatchObject({ inherited: true, same: true, value: "run" });
      expect(seen.text).toContain(`id="${manager.id}" state=running`);
      expect(seen.manager).toBe(manager);
    }
  });

  test("is refused there as here once it is stopped", async () => {
    const manager = start(kind);
    await manager.stop();
    expect(await failure(startPool().submitTask(tasks.runsOn(manager, "run"), quiet))).toBeInstanceOf(
      ManagerNotRunning,
    );
  });
});
