import { fork } from "node:child_process";
import { once } from "node:events";

const GRACE_MS = 8_000;

/** Runs ./mixed-client.mjs once. @returns its counts, as that file gives them */
export async function mixedLoad(plan) {
  const client = fork(new URL("mixed-client.mjs", import.meta.url));
  const ended = once(client, "exit");
  try {
    client.send(plan);
    const [result] = await once(client, "message", {
      signal: AbortSignal.timeout(plan.warmUpMs + plan.forMs + GRACE_MS),
    });
    if (result.failed > 0) throw new Error(`port ${plan.port}: ${result.failed} requests were answered with an error`);
    return result;
  } finally {
    client.kill("SIGKILL");
    await ended;
  }
}
