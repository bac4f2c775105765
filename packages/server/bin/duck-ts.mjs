#!/usr/bin/env node
// The command itself is built; this file only has to exist before the build, so that it can be linked.
import "../dist/cli/main.js";
