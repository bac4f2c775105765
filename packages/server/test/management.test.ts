import type { ThreadNode } from "@duck-ts/managers";
import Fastify, { type FastifyInstance } from "fastify";
import { describe, expect, it, onTestFinished, test } from "vitest";
import type { ResolvedConfig } from "../src/config/index.ts";
import {
  createRequestMetrics,
  listenForManagement,
  type ManagementOptions,
  type ManagementSource,
  managementPlugin,
} from "../src/management/index.ts";
import { ManagerTotals } from "../src/management/manager-totals.ts";
import { isFromLoopback } from "../src/management/who-may-ask.ts";

type Settings = ResolvedConfig["management"];
const defaults: Settings = { health: "/healthz", ready: "/readyz", metrics: "/metrics", expose: "loopback" };

const manager = (id: string | undefined, completed: number, failed = 0) =>
  ({ kind: "thread", id, state: "idle", taskType: null, workers: 2, queued: 3, active: 1, completed, failed }) as const;
const thread = (id: number, kind: ThreadNode["kind"], ...managers: ThreadNode["managers"]): ThreadNode => ({
  id,
  name: `t-${id}`,
  kind,
  alive: true,
  managers,
  children: [],
});
const tree = thread(0, "main", manager("crunch", 11, 12));

function fakeEngine(readiness: { ready: boolean; reason?: string } = { ready: true }): ManagementSource {
  return {
    ready: () => readiness,
    report: () => ({
      workers: { wanted: 3, ready: 2, busy: 1, restarts: 4, kills: 5 },
      queued: 6,
      inFlight: 7,
      rejected: 8,
      placements: [{ light: 9, heavy: 10 }],
      mainLoop: { meanLagMs: 1, maxLagMs: 250, utilization: 0.5 },
    }),
    managers: async () => tree,
  };
}

async function serve(options: Partial<ManagementOptions> = {}, prepare?: (fastify: FastifyInstance) => void) {
  const fastify = Fastify();
  prepare?.(fastify);
  const metrics = createRequestMetrics();
  await managementPlugin(fastify, { settings: defaults, source: fakeEngine(), metrics, ...options });
  const url = await fastify.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => fastify.close());
  return { url, metrics: options.metrics ?? metrics, fastify };
}

test("methods that clients of HTTP/2 make up share one label, so that they cannot grow the metrics without bound", () => {
  const metrics = createRequestMetrics();
  for (const method of ["GET", "MADE-UP", "ANOTHER"]) metrics.observe(method, null, 404, 1);
  expect(metrics.routes().map(({ method, route, count }) => [method, route, count])).toEqual([
    ["GET", "(none)", 1],
    ["other", "(none)", 2],
  ]);
});

describe("the management paths", () => {
  it("say that the process is alive", async () => {
    const { url } = await serve();
    const response = await fetch(`${url}/healthz`);
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toMatchObject({ status: "ok" });
  });

  it("say whether the server takes traffic, and why not", async () => {
    const ready = await fetch(`${(await serve()).url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: "ready", workers: { wanted: 3, ready: 2, busy: 1 }, queued: 6 },
    ]);
    const draining = await fetch(
      `${(await serve({ source: fakeEngine({ ready: false, reason: "draining" }) })).url}/readyz`,
    );
    expect([draining.status, await draining.json()]).toEqual([
      503,
      expect.objectContaining({ status: "not ready", reason: "draining" }),
    ]);
  });

  it("answer HEAD without a body", async () => {
    const { url } = await serve();
    const response = await fetch(`${url}/metrics`, { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  it("can be moved, and left out one by one", async () => {
    const { url } = await serve({ settings: { ...defaults, health: "/-/alive", ready: false, metrics: false } });
    const statuses = await Promise.all(
      ["/-/alive", "/healthz", "/readyz", "/metrics"].map(async (path) => (await fetch(url + path)).status),
    );
    expect(statuses).toEqual([200, 404, 404, 404]);
  });

  it("give way to the app's own route of the same path", async () => {
    const { url } = await serve({ appHas: (path) => path === "/healthz" }, (fastify) =>
      fastify.get("/healthz", () => "the app's"),
    );
    expect(await (await fetch(`${url}/healthz`)).text()).toBe("the app's");
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  it("keep two servers of one process apart", async () => {
    const [one, two] = [await serve(), await serve()];
    one.metrics.observe("GET", "/only-one", 200, 1);
    expect(await (await fetch(`${one.url}/metrics`)).text()).toContain("/only-one");
    expect(await (await fetch(`${two.url}/metrics`)).text()).not.toContain("/only-one");
  });
});

describe("metrics", () => {
  it("count requests by route and status, and their durations", async () => {
    const { url, metrics } = await serve();
    metrics.observe("GET", "/users/:id", 200, 3);
    metrics.observe("GET", "/users/:id", 200, 700);
    metrics.observe("GET", "/users/:id", 404, 60_000);
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    expect(text).toContain('duck_http_requests_total{method="GET",route="/users/:id",status="200"} 2');
    expect(text).toContain('duck_http_requests_total{method="GET",route="/users/:id",status="404"} 1');
    expect(text).toContain('duck_http_request_duration_seconds_bucket{le="0.0025",method="GET",route="/users/:id"} 0');
    expect(text).toContain('duck_http_request_duration_seconds_bucket{le="0.005",method="GET",route="/users/:id"} 1');
    expect(text).toContain('duck_http_request_duration_seconds_bucket{le="1",method="GET",route="/users/:id"} 2');
    expect(text).toContain('duck_http_request_duration_seconds_bucket{le="+Inf",method="GET",route="/users/:id"} 3');
    expect(text).toContain('duck_http_request_duration_seconds_count{method="GET",route="/users/:id"} 3');
    expect(text).toContain('duck_http_request_duration_seconds_sum{method="GET",route="/users/:id"} 60.703');
  });

  it("show the engine and the process", async () => {
    const text = await (await fetch(`${(await serve()).url}/metrics`)).text();
    for (const line of [
      'duck_workers{state="ready"} 2',
      "duck_worker_restarts_total 4",
      "duck_worker_kills_total 5",
      "duck_requests_queued 6",
      "duck_requests_in_flight 7",
      "duck_requests_rejected_total 8",
      'duck_placements_total{worker="0",kind="heavy"} 10',
      "duck_ready 1",
      'duck_main_loop_lag_seconds{stat="max"} 0.25',
      "duck_main_loop_utilization 0.5",
      'duck_manager_tasks{kind="thread",manager="crunch",owner="main",state="queued"} 3',
      'duck_manager_tasks{kind="thread",manager="crunch",owner="main",state="active"} 1',
      'duck_manager_threads{kind="thread",manager="crunch",owner="main"} 2',
      'duck_manager_tasks_completed_total{kind="thread",manager="crunch",owner="main"} 11',
      'duck_manager_tasks_failed_total{kind="thread",manager="crunch",owner="main"} 12',
      "# TYPE process_resident_memory_bytes gauge",
    ]) {
      expect(text).toContain(line);
    }
  });

  it("are numbers as Prometheus writes them, those of Node that have no sample yet too", async () => {
    const text = await (await fetch(`${(await serve()).url}/metrics`)).text();
    const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const number = /^[a-zA-Z_:][\w:]*(?:\{(?:\w+="(?:[^"\\]|\\.)*",?)*\})? (?:NaN|[+-]Inf|-?[\d.]+(?:e[+-]?\d+)?)$/;
    expect(samples.filter((line) => !number.test(line))).toEqual([]);
  });
});

describe("the managers' totals", () => {
  const completed = (totals: ManagerTotals): number[] => totals.all().map((total) => total.completed);

  it("are sums over the threads that have a manager of that id", () => {
    const totals = new ManagerTotals();
    const [one, two] = [
      thread(1, "request", manager("a", 1)),
      thread(2, "request", manager("a", 2), manager(undefined, 5)),
    ];
    totals.look({ ...thread(0, "main", manager("a", 7)), children: [one, two] });
    expect(totals.all().map(({ owner, manager: id, threads, completed: done }) => [owner, id, threads, done])).toEqual([
      ["main", "a", 2, 7],
      ["request", "a", 4, 3],
      ["request", "(default)", 2, 5],
    ]);
  });

  it("never go down: not when a thread ends, nor when a manager is replaced or a number comes again", () => {
    const totals = new ManagerTotals();
    totals.look(thread(0, "main", manager("a", 5)));
    totals.look(thread(0, "main", manager("a", 8)));
    expect(completed(totals)).toEqual([8]);
    totals.look(thread(0, "main"));
    expect(totals.all()[0]).toMatchObject({ threads: 0, queued: 0, completed: 8 });
    totals.look(thread(0, "main", manager("a", 2)));
    totals.look(thread(0, "main", manager("a", 1)));
    expect(completed(totals)).toEqual([11]);
  });

  it("stand as they were where the supervisor does not answer in time", async () => {
    const { url } = await serve({ source: { ...fakeEngine(), managers: () => new Promise(() => undefined) } });
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("duck_ready 1");
  });
});

describe("who may ask", () => {
  it("is loopback clients, unless a proxy asks for somebody else", async () => {
    const { url } = await serve();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    for (const header of ["x-forwarded-for", "x-forwarded-host", "Forwarded", "Via", "X-Real-IP", "cf-connecting-ip"]) {
      expect([header, (await fetch(`${url}/healthz`, { headers: { [header]: "203.0.113.9" } })).status]).toEqual([
        header,
        404,
      ]);
    }
  });

  it("is nobody from another machine", async () => {
    const { fastify } = await serve();
    expect((await fastify.inject({ url: "/metrics", remoteAddress: "203.0.113.9" })).statusCode).toBe(404);
    expect((await fastify.inject({ url: "/metrics", remoteAddress: "::ffff:127.0.0.1" })).statusCode).toBe(200);
  });

  it("sees of a refused path what the app would answer there", async () => {
    const { fastify } = await serve({ refuse: (_request, reply) => reply.code(418).send("the app's") });
    const response = await fastify.inject({ url: "/metrics", remoteAddress: "203.0.113.9" });
    expect([response.statusCode, response.body]).toEqual([418, "the app's"]);
  });

  it("is everybody where expose is all", async () => {
    const { fastify } = await serve({ settings: { ...defaults, expose: "all" } });
    expect(
      (
        await fastify.inject({
          url: "/healthz",
          remoteAddress: "203.0.113.9",
          headers: { "x-forwarded-for": "1.2.3.4" },
        })
      ).statusCode,
    ).toBe(200);
  });

  it.each([
    ["127.0.0.1", true],
    ["127.8.9.1", true],
    ["::1", true],
    ["::ffff:127.0.0.1", true],
    ["::ffff:10.0.0.1", false],
    ["10.0.0.1", false],
    ["::2", false],
    ["not an address", false],
    [undefined, false],
  ])("knows %s: loopback is %s", (address, expected) => {
    expect(isFromLoopback(address, {})).toBe(expected);
  });
});

describe("a listener of its own", () => {
  const settings: Settings = { ...defaults, expose: { host: "127.0.0.1", port: 0 } };

  it("takes the paths away from the app's port, and answers whoever reaches it", async () => {
    const { url } = await serve({ settings });
    expect((await fetch(`${url}/healthz`)).status).toBe(404);
    const listener = await listenForManagement({ settings, source: fakeEngine(), metrics: createRequestMetrics() });
    onTestFinished(() => listener.close());
    const ask = async (path: string, init?: RequestInit) => (await fetch(listener.url + path, init)).status;
    expect(await ask("/healthz", { headers: { "x-forwarded-for": "1.2.3.4" } })).toBe(200);
    expect(await ask("/metrics?x=1")).toBe(200);
    expect(await ask("/readyz", { method: "POST" })).toBe(405);
    expect(await ask("/else")).toBe(404);
  });

  it("rejects where the port is taken", async () => {
    const first = await listenForManagement({ settings, source: fakeEngine(), metrics: createRequestMetrics() });
    onTestFinished(() => first.close());
    const port = Number(new URL(first.url).port);
    const second = listenForManagement({
      settings: { ...settings, expose: { host: "127.0.0.1", port } },
      source: fakeEngine(),
      metrics: createRequestMetrics(),
    });
    await expect(second).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});
