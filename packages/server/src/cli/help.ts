import { createRequire } from "node:module";

const general = `duck-ts: an HTTP server whose handlers may block

  duck-ts serve     run an app, TypeScript included, with no build step
  duck-ts routes    list an app's routes

  duck-ts <command> --help
  duck-ts --version
`;

const serve = `duck-ts serve [options]

Runs the app that duck.config.ts (or .mts, .cts, .js, .mjs, .cjs, .json) names; without one, src/app.ts or app.ts.

  -c, --config <file>      the config file; paths in it are relative to its folder
      --host <host>        the address to listen on         (default 127.0.0.1)
  -p, --port <port>        the port, 0 for any free one     (default 8000)
      --workers <n|auto>   request threads                  (default auto: cores + 1)
      --log-level <level>  trace debug info warn error fatal silent   (default info)
  -h, --help

The environment's PORT and HOST win over the options, the options over the file, the file over the defaults.
.env files beside the config file are read first, and never overwrite what is set.

SIGTERM, SIGINT   finish what is running, then exit 0; a second one exits at once
SIGHUP            replace all threads by ones with fresh code, dropping nothing

Exit codes: 0 after a clean end; 1 where the server could not start or had to cut requests off at shutdown;
2 where the command line or the configuration is wrong; 128 + n where a second signal forced it.
`;

const routes = `duck-ts routes [options]

Imports the app and lists its routes.

  -c, --config <file>   the config file
      --json            one JSON array, for tools
  -h, --help
`;

/** What `--help` prints. */
export function helpText(topic: "serve" | "routes" | null): string {
  return topic === null ? general : { serve, routes }[topic];
}

/** The version of the package that is running. */
export function versionText(): string {
  const { version } = createRequire(import.meta.url)("@duck-ts/server/package.json") as { version: string };
  return version;
}
