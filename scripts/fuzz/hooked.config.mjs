// The same app behind a plugin's hook: its requests then go through Fastify.
import { definePlugin } from "@duck-ts/server";
import config from "./duck.config.mjs";

const server = (fastify) => void fastify.addHook("onSend", async (_request, _reply, payload) => payload);

export default { ...config, plugins: [definePlugin({ name: "hook", server })] };
