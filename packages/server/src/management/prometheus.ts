import type { Metric, Registry } from "prom-client";
import { type ManagerTotal, ManagerTotals } from "./manager-totals.ts";
import type { RequestMetrics } from "./request-metrics.ts";
import type { EngineReport, ManagementSource } from "./source.ts";

/** A page of metrics, and what kind of text it is. */
export interface MetricsPage {
  readonly contentType: string;
  readonly body: string;
}

/**
 * The metrics of a server, in a registry of its own: two servers in a process do not mix. prom-client is loaded at the
 * first scrape, not at start-up; the figures of the Node process itself begin then.
 */
export function createMetricsPage(source: ManagementSource, requests: RequestMetrics): () => Promise<MetricsPage> {
  let registry: Promise<Registry> | undefined;
  const managers = new ManagerTotals();
  return async () => {
    registry ??= createRegistry(source, requests, managers);
    await lookAtManagers(source, managers);
    const { contentType, metrics } = await registry.then((made) => ({
      contentType: made.contentType,
      metrics: made.metrics(),
    }));
    // prom-client writes it as no number is written.
    return { contentType, body: (await metrics).replaceAll(/ Nan$/gm, " NaN") };
  };
}

/** A scrape waits for the supervisor no longer than this; the last look then stands for this one. */
const LOOK_MS = 500;

async function lookAtManagers(source: ManagementSource, managers: ManagerTotals): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LOOK_MS);
  });
  const look = source.managers().then(
    (tree) => managers.look(tree),
    () => undefined,
  );
  await Promise.race([look, late]);
  clearTimeout(timer);
}

async function createRegistry(
  source: ManagementSource,
  requests: RequestMetrics,
  managers: ManagerTotals,
): Promise<Registry> {
  const { collectDefaultMetrics, Registry } = await import("prom-client");
  const registry = new Registry();
  const add = (metric: ReadMetric): void => registry.registerMetric(metric as unknown as Metric);
  const engine = (read: (report: EngineReport) => number) => () => [{ value: read(source.report()), labels: {} }];

  add(
    new ReadMetric("duck_http_requests_total", "counter", "Requests answered, by route pattern and status.", () =>
      requests
        .routes()
        .flatMap(({ method, route, statuses }) =>
          [...statuses].map(([status, value]) => ({ value, labels: { method, route, status: String(status) } })),
        ),
    ),
  );
  add(
    new ReadMetric(
      "duck_http_request_duration_seconds",
      "histogram",
      "From a request's arrival to the end of its answer.",
      () =>
        requests.routes().flatMap(({ method, route, buckets, count, sumSeconds }) => {
          const labels = { method, route };
          const name = "duck_http_request_duration_seconds";
          return [
            ...buckets.map((bucket) => ({
              value: bucket.count,
              labels: { le: String(bucket.le), ...labels },
              metricName: `${name}_bucket`,
            })),
            { value: count, labels: { le: "+Inf", ...labels }, metricName: `${name}_bucket` },
            { value: sumSeconds, labels, metricName: `${name}_sum` },
            { value: count, labels, metricName: `${name}_count` },
          ];
        }),
    ),
  );
  add(
    new ReadMetric(
      "duck_requests_in_flight",
      "gauge",
      "Requests that a thread works on.",
      engine((report) => report.inFlight),
    ),
  );
  add(
    new ReadMetric(
      "duck_requests_queued",
      "gauge",
      "Requests that wait for a thread.",
      engine((report) => report.queued),
    ),
  );
  add(
    new ReadMetric(
      "duck_requests_rejected_total",
      "counter",
      "Requests refused because the queue was full.",
      engine((report) => report.rejected),
    ),
  );
  add(
    new ReadMetric(
      "duck_placements_total",
      "counter",
      "Requests sent to request threads, by the thread's place and the kind of request.",
      () =>
        source
          .report()
          .placements.flatMap((kinds, worker) =>
            Object.entries(kinds).map(([kind, value]) => ({ value, labels: { worker: String(worker), kind } })),
          ),
    ),
  );
  add(
    new ReadMetric("duck_workers", "gauge", "Request threads, by state.", () => {
      const { wanted, ready, busy } = source.report().workers;
      return Object.entries({ wanted, ready, busy }).map(([state, value]) => ({ value, labels: { state } }));
    }),
  );
  add(
    new ReadMetric(
      "duck_worker_restarts_total",
      "counter",
      "Request threads started again after one died.",
      engine((report) => report.workers.restarts),
    ),
  );
  add(
    new ReadMetric(
      "duck_worker_kills_total",
      "counter",
      "Request threads terminated at a deadline.",
      engine((report) => report.workers.kills),
    ),
  );
  add(
    new ReadMetric(
      "duck_main_loop_lag_seconds",
      "gauge",
      "How late main's event loop ran in the last ten seconds.",
      () => {
        const { meanLagMs, maxLagMs } = source.report().mainLoop;
        return Object.entries({ mean: meanLagMs, max: maxLagMs }).map(([stat, ms]) => ({
          value: ms / 1000,
          labels: { stat },
        }));
      },
    ),
  );
  add(
    new ReadMetric(
      "duck_main_loop_utilization",
      "gauge",
      "The part of the last ten seconds in which main's event loop had something to do.",
      engine((report) => report.mainLoop.utilization),
    ),
  );
  const perManager = (read: (total: ManagerTotal) => number) => () =>
    managers.all().map((total) => ({
      value: read(total),
      labels: { kind: total.kind, manager: total.manager, owner: total.owner },
    }));
  add(
    new ReadMetric("duck_manager_tasks", "gauge", "Tasks of managers, by state.", () =>
      managers.all().flatMap(({ kind, manager, owner, queued, active }) =>
        Object.entries({ queued, active }).map(([state, value]) => ({
          value,
          labels: { kind, manager, owner, state },
        })),
      ),
    ),
  );
  add(
    new ReadMetric(
      "duck_manager_threads",
      "gauge",
      "Threads that run the tasks of managers.",
      perManager((total) => total.threads),
    ),
  );
  add(
    new ReadMetric(
      "duck_manager_tasks_completed_total",
      "counter",
      "Tasks of managers that have ended well.",
      perManager((total) => total.completed),
    ),
  );
  add(
    new ReadMetric(
      "duck_manager_tasks_failed_total",
      "counter",
      "Tasks of managers that have failed.",
      perManager((total) => total.failed),
    ),
  );
  add(
    new ReadMetric("duck_ready", "gauge", "1 when the server takes traffic.", () => [
      { value: source.ready().ready ? 1 : 0, labels: {} },
    ]),
  );

  collectDefaultMetrics({ register: registry });
  return registry;
}

interface MetricValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly metricName?: string;
}

/** A metric whose values are read from what is counted already, in place of being counted a second time. */
class ReadMetric {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly #read: () => readonly MetricValue[];
  constructor(name: string, type: "counter" | "gauge" | "histogram", help: string, read: () => readonly MetricValue[]) {
    this.name = name;
    this.type = type;
    this.help = help;
    this.#read = read;
  }
  async get(): Promise<object> {
    return { name: this.name, type: this.type, help: this.help, aggregator: "sum", values: this.#read() };
  }
}
