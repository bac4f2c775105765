import { DuckError } from "@duck-ts/runtime";

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** Where the value came from: a file, `environment`, `command line`, or `the config given`. */
  readonly source: string;
  /** The path inside it: `server.port`, `plugins[0].worker`, `PORT`, `--port`. Empty for the whole. */
  readonly path: string;
  /** What was found there, as it would be written. */
  readonly found: string;
  /** What would have been right. */
  readonly expected: string;
}

/** The configuration cannot be used. Lists every problem, not only the first; the command exits with code 2. */
export class ConfigError extends DuckError {
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super("DUCK_CONFIG", describe(problems), options);
    this.problems = problems;
  }
}

function describe(problems: readonly ConfigProblem[]): string {
  const lines: string[] = [];
  for (const source of new Set(problems.map((problem) => problem.source))) {
    const own = problems.filter((problem) => problem.source === source);
    lines.push(heading(source, own), ...own.map(describeOne));
  }
  return lines.join("\n");
}

function heading(source: string, problems: readonly ConfigProblem[]): string {
  if (problems.every((problem) => problem.path === "")) return `${source} cannot be used:`;
  return `${problems.length === 1 ? "A setting" : `${problems.length} settings`} in ${source} cannot be used:`;
}

function describeOne({ path, found, expected }: ConfigProblem): string {
  const place = path === "" ? "" : `${path}: `;
  // A compiler's message or a stack: shown whole, on lines of its own.
  if (found.includes("\n")) return `  ${place}expected ${expected}, found ${found.replaceAll("\n", "\n  ")}`;
  return `  ${place}found ${found}, expected ${expected}`;
}
