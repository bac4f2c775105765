/** Who waits where, with workers that are only ports: they take what they are sent and never answer. */
import { MessageChannel } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { Dispatcher } from "../src/engine/dispatcher.ts";
import { InFlight, type MainRoute } from "../src/engine/in-flight.ts";
import { mainRoutes } from "../src/engine/main-routes.ts";
import type { RouteInfo } from "../src/engine/route-info.ts";
import { Slots } from "../src/engine/slots.ts";
import { WorkerLink } from "../src/engine/worker-link.ts";
import { until } from "./support/server.ts";

const ports: MessageChannel["port1"][] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

const info = (path: string): RouteInfo =>
  ({ kind: "http", method: "GET", path, run: "pool" }) as Partial<RouteInfo> as RouteInfo;
const [light, heavy] = mainRoutes([info("/light"), info("/heavy")], { timeoutMs: 30_000, bodyLimitBytes: 1 }) as [
  MainRoute,
  MainRoute,
];
for (let i = 0; i < 9; i++) {
  light.cost.record(20, false);
  heavy.cost.record(5000, false);
}

function request(route: MainRoute): InFlight {
  const sink = { whole() {}, begin() {}, write: () => true, end() {}, destroy() {} };
  return new InFlight(route, "GET", route.info.path, "", "127.0.0.1", 0, null, null, sink, performance.now());
}

/** `sent`: the messages that a worker was sent so far. */
function withWorkers(count: number): {
  dispatcher: Dispatcher;
  links: readonly WorkerLink[];
  sent(link: WorkerLink): readonly unknown[];
} {
  const routes = [light, heavy];
  const dispatcher = new Dispatcher({
    routes,
    maxQueue: 100,
    placements: [],
    onIdle() {},
    onSettled() {},
    idOf: () => "",
  });
  const inboxes: unknown[][] = [];
  const links = Array.from({ length: count }, (_, id) => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    const messages: unknown[] = [];
    inboxes.push(messages);
    port2.on("message", (message) => messages.push(message));
    const hosted = { thread: { id, name: `request-${id}` }, port: port1, terminate() {}, retire() {} };
    return new WorkerLink(hosted, new Slots().buffer, performance.now());
  });
  for (const link of links) dispatcher.add(link);
  return { dispatcher, links, sent: (link) => inboxes[links.indexOf(link)] as unknown[] };
}

const held = (links: readonly WorkerLink[]): number[] => links.map((link) => link.exclusive);

test("of short heavy requests one waits with each thread, and main keeps those that any thread may take", () => {
  const { dispatcher, links } = withWorkers(2);
  for (let i = 0; i < 8; i++) dispatcher.submit(request(heavy));
  dispatcher.pump();
  expect(held(links)).toEqual([2, 2]);
  expect(dispatcher.queue.length).toBe(4);

  const few = withWorkers(2);
  for (let i = 0; i < 4; i++) few.dispatcher.submit(request(heavy));
  few.dispatcher.pump();
  expect(held(few.links)).toEqual([1, 1]);
});

test("the first light request for a while finds one heavy request before it, not two", () => {
  const { dispatcher, links } = withWorkers(2);
  const all = Array.from({ length: 8 }, () => request(heavy));
  for (const one of all) dispatcher.submit(one);
  dispatcher.pump();
  for (const link of links) new Slots(link.slots.buffer).begin(0); // each thread has begun its first
  dispatcher.submit(request(light));
  dispatcher.pump();
  expect(held(links)).toEqual([1, 1]);
  expect(all.map((one) => one.stage)).toEqual(["sent", "sent", ...new Array(6).fill("queued")]);
});

test("while many heavy requests wait for each thread, light ones that come in different turns leave in one message", async () => {
  const { dispatcher, links, sent } = withWorkers(3);
  dispatcher.submit(request(light)); // so that a thread is left to them
  for (let i = 0; i < 30; i++) dispatcher.submit(request(heavy));
  dispatcher.pump();
  const [free] = links as [WorkerLink];
  await until(() => sent(free).length === 1);
  const [first, second] = [request(light), request(light)];
  dispatcher.submit(first);
  await new Promise((resolve) => setImmediate(resolve));
  dispatcher.submit(second);
  expect([first.stage, second.stage]).toEqual(["queued", "queued"]);
  await until(() => first.stage === "sent" && second.stage === "sent");
  await until(() => sent(free).length === 2);
});
