// Runs vitest on the built packages and closes with the one line that machines read: "N passed, N failed".
//
//   node scripts/test.mjs [vitest's filters and options]
//
// It runs on the Node that started it, which is how scripts/matrix.mjs tries them all.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, tool } from "./tool.mjs";

/** Runs the suite of the folder `home`; `printClosing: false` leaves the last lines to the caller. */
export function runTests(args, { printClosing = true, home = root } = {}) {
  const cache = join(home, "node_modules/.cache/tests");
  const report = join(cache, `report-${process.pid}.json`);
  mkdirSync(cache, { recursive: true });

  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const { status } = spawnSync(process.execPath, [tool("vitest", "vitest", home), "run", ...reporters, ...args], {
    cwd: home,
    stdio: ["ignore", "inherit", "inherit"],
  });

  const counts = count(report, status);
  rmSync(report, { force: true });
  if (counts.passed === 0 && counts.failed === 0) console.error("test: no test ran");
  if (printClosing) console.log(closingLines(counts));
  return { ...counts, ok: status === 0 && counts.failed === 0 && counts.passed > 0 };
}

/** What failed, by name, and the count: whoever is shown only the end of a long log has to find it there. */
export function closingLines({ passed, failed, skipped, failures }) {
  return [...failures, `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`].join("\n");
}

function count(report, status) {
  let results;
  try {
    results = JSON.parse(readFileSync(report, "utf8"));
  } catch {
    return { passed: 0, failed: 1, skipped: 0, failures: ["FAILED  vitest left no report"] };
  }
  // A file that could not be loaded holds no test that failed, and yet it is a failure.
  const broken = results.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  const failed = results.numFailedTests + broken.length;
  return {
    passed: results.numPassedTests,
    // Nor does an error outside any test (a rejection nobody handled) belong to one.
    failed: failed === 0 && status !== 0 ? 1 : failed,
    skipped: results.numPendingTests + results.numTodoTests,
    failures: [
      ...results.testResults.flatMap((file) =>
        file.assertionResults
          .filter((test) => test.status === "failed")
          .map((test) => failure(`${file.name} > ${test.fullName}`, test.failureMessages[0])),
      ),
      ...broken.map((file) => failure(file.name, file.message)),
    ],
  };
}

const failure = (what, why) => `FAILED  ${what}\n        ${(why ?? "").split("\n", 4).join("\n        ")}`;

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  process.exit(runTests(process.argv.slice(2)).ok ? 0 : 1);
}
