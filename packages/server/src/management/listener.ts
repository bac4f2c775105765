import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createAnswers } from "./answers.ts";
import type { ManagementOptions } from "./plugin.ts";

/** The management paths on a port of their own. */
export interface ManagementListener {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves the management paths on `expose: { host, port }`, a plain HTTP listener of their own on main. Whoever reaches
 * it may ask. Rejects where the port cannot be had.
 */
export async function listenForManagement(
  options: Pick<ManagementOptions, "settings" | "source" | "metrics">,
): Promise<ManagementListener> {
  const { settings, source, metrics } = options;
  if (typeof settings.expose !== "object") throw new TypeError("management.expose names no listener of its own.");
  const answers = createAnswers(settings, source, metrics);
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    void answer(answers, request, response);
  });
  const { host, port } = settings.expose;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, resolve);
  });
  // A process is kept alive by its app's listener, not by this one.
  server.unref();
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  answers: ReturnType<typeof createAnswers>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url?.split("?")[0] ?? "/";
  const known = answers.get(path);
  try {
    if (known === undefined) {
      response
        .writeHead(404, { "content-type": "text/plain; charset=utf-8" })
        .end(`There are ${[...answers.keys()].join(", ")}\n`);
    } else if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
    } else {
      const { status, headers, body } = await known();
      response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : body);
    }
  } catch (error) {
    response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end(`${String(error)}\n`);
  }
}
