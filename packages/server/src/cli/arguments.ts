import { type ParseArgsConfig, parseArgs } from "node:util";

/** What the command line asks for. */
export type Command =
  | { readonly name: "help"; readonly topic: "serve" | "routes" | null }
  | { readonly name: "version" }
  | {
      readonly name: "serve";
      readonly config: string | undefined;
      readonly host: string | undefined;
      readonly port: string | undefined;
      readonly workers: string | undefined;
      readonly logLevel: string | undefined;
    }
  | { readonly name: "routes"; readonly config: string | undefined; readonly json: boolean };

/** The command line cannot be understood. Exit code 2. */
export class UsageError extends Error {
  override get name(): string {
    return "UsageError";
  }
}

type Options = NonNullable<ParseArgsConfig["options"]>;

const options: Readonly<Record<"serve" | "routes", Options>> = {
  serve: {
    config: { type: "string", short: "c" },
    host: { type: "string" },
    port: { type: "string", short: "p" },
    workers: { type: "string" },
    "log-level": { type: "string" },
    help: { type: "boolean", short: "h" },
  },
  routes: {
    config: { type: "string", short: "c" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  },
};

/**
 * Reads the command line, without the first two entries of `process.argv`.
 * @throws UsageError with what was not understood and what there is.
 */
export function parseCommandLine(argv: readonly string[]): Command {
  const [first, ...rest] = argv;
  if (first === undefined || first === "--help" || first === "-h") return { name: "help", topic: null };
  if (first === "--version" || first === "-v") return { name: "version" };
  if (first === "help") return { name: "help", topic: rest[0] === "serve" || rest[0] === "routes" ? rest[0] : null };
  if (first !== "serve" && first !== "routes") {
    const what = first.startsWith("-") ? "option" : "command";
    throw new UsageError(
      `There is no ${what} "${first}". There are: duck-ts serve, duck-ts routes, duck-ts --help, duck-ts --version.`,
    );
  }
  const values = parseOptions(first, rest);
  if (values.help === true) return { name: "help", topic: first };
  const text = (name: string): string | undefined => values[name] as string | undefined;
  if (first === "routes") return { name: "routes", config: text("config"), json: values.json === true };
  return {
    name: "serve",
    config: text("config"),
    host: text("host"),
    port: text("port"),
    workers: text("workers"),
    logLevel: text("log-level"),
  };
}

function parseOptions(command: "serve" | "routes", argv: readonly string[]): Record<string, unknown> {
  const known = options[command];
  const written = Object.entries(known).map(([name, { type }]) =>
    type === "string" ? `--${name} <value>` : `--${name}`,
  );
  const advice = `duck-ts ${command} takes ${written.join(", ")}.`;
  // Checked by hand, so that every message is of this command's making and none depends on Node's version.
  const { tokens, values } = parseArgs({
    args: [...argv],
    options: known,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  for (const token of tokens) {
    if (token.kind === "positional") {
      const named = /\.[cm]?[jt]sx?$/.test(token.value)
        ? `The app's module is named in duck.config.ts: export default { app: ${JSON.stringify(token.value)} }.`
        : advice;
      throw new UsageError(`"${token.value}" is one word too many. ${named}`);
    }
    if (token.kind !== "option") continue;
    const option = known[token.name];
    if (option === undefined) throw new UsageError(`There is no option "${token.rawName}". ${advice}`);
    if (
      option.type === "string" &&
      (token.value === undefined || token.value === "" || (!token.inlineValue && token.value.startsWith("--")))
    ) {
      throw new UsageError(`${token.rawName} needs a value. ${advice}`);
    }
    if (option.type === "boolean" && token.value !== undefined)
      throw new UsageError(`${token.rawName} takes no value. ${advice}`);
  }
  return values;
}
