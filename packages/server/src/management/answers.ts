import type { ResolvedConfig } from "../config/types.ts";
import { createMetricsPage } from "./prometheus.ts";
import type { RequestMetrics } from "./request-metrics.ts";
import type { ManagementSource } from "./source.ts";

export interface ManagementAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What there is to answer, by path. Knows nothing of how a request came in. */
export function createAnswers(
  settings: ResolvedConfig["management"],
  source: ManagementSource,
  requests: RequestMetrics,
): ReadonlyMap<string, () => Promise<ManagementAnswer>> {
  const answers = new Map<string, () => Promise<ManagementAnswer>>();
  if (settings.health !== false) {
    // That main answers at all is the news.
    answers.set(settings.health, async () => json(200, { status: "ok", uptimeSeconds: Math.round(process.uptime()) }));
  }
  if (settings.ready !== false) {
    answers.set(settings.ready, async () => {
      const { ready, reason } = source.ready();
      const { workers, queued } = source.report();
      const shown = { workers: { wanted: workers.wanted, ready: workers.ready, busy: workers.busy }, queued };
      return ready ? json(200, { status: "ready", ...shown }) : json(503, { status: "not ready", reason, ...shown });
    });
  }
  if (settings.metrics !== false) {
    const page = createMetricsPage(source, requests);
    answers.set(settings.metrics, async () => {
      const { contentType, body } = await page();
      return { status: 200, headers: { "content-type": contentType, "cache-control": "no-store" }, body };
    });
  }
  return answers;
}

function json(status: number, value: unknown): ManagementAnswer {
  return {
    status,
    headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
    body: `${JSON.stringify(value)}\n`,
  };
}
