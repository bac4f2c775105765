import { pbkdf2Sync } from "node:crypto";
import { quantile } from "./statistics.mjs";

/** What every server answers on /json. */
export const smallReply = () => ({ hello: "world", id: 42, tags: ["a", "b", "c"], ok: true });

/**
 * Synchronous work of an amount, not of a time: threads that share a core get no more of it done. How much 5 ms are is
 * found out once, by `calibrate`, and told to all in the environment.
 */
export function work() {
  pbkdf2Sync("password", "salt", Number(process.env.BENCH_WORK ?? 5_000), 32, "sha256");
  return { worked: true };
}

/** @returns environment variables under which `work()` takes `ms` milliseconds on this machine, left alone */
export function calibrate(ms) {
  const amount = 20_000;
  const took = Array.from({ length: 40 }, () => {
    const from = performance.now();
    pbkdf2Sync("password", "salt", amount, 32, "sha256");
    return performance.now() - from;
  });
  return { BENCH_WORK: String(Math.round((amount * ms) / quantile(took, 0.25))) };
}

export const CHUNK = 64 * 1024;
const CHUNKS = 1600;
export const BODY = CHUNK * CHUNKS;

/** 100 MB, a fresh chunk of 64 KB each time as a file or an image encoder would give. */
export function* bigBody() {
  for (let chunk = 0; chunk < CHUNKS; chunk++) yield new Uint8Array(CHUNK);
}

/** Headers as a browser sends them. */
export const browserHeaders = {
  "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  accept: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "accept-language": "en-US,en;q=0.5",
  "accept-encoding": "gzip, deflate, br, zstd",
  cookie: "session=5f2b8c1e9a7d4036; theme=dark; consent=1",
  dnt: "1",
  "sec-fetch-dest": "document",
  "sec-fetch-mode": "navigate",
  "sec-fetch-site": "none",
  "cache-control": "max-age=0",
};
