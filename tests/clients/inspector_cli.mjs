// MCP Inspector on the command line: each call is a process of its own, which shares tokens with the next by a file.
//
// usage: node inspector_cli.mjs URL TOOL ARGUMENTS_JSON   (Node.js 22)

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { environment, run, say, spoilt } from "./talk.mjs";

const [url, tool, argumentsJson] = process.argv.slice(2);
const clients = new URL("node_modules/@modelcontextprotocol/inspector/clients/", import.meta.url);
const program = fileURLToPath(new URL("launcher/build/index.js", clients));
const env = {
  ...environment(),
  MCP_INSPECTOR_SECRET_STORE: "file",
  // Else it asks for a terminal.
  MCP_AUTO_OPEN_ENABLED: "true",
};
env.MCP_STORAGE_DIR = join(env.HOME, "storage");

const inspector = (...args) => {
  const all = [program, "--cli", "--server-url", url, "--transport", "http", "--format", "json", ...args];
  return run(process.execPath, all, env);
};
const call = ["--method", "tools/call", "--tool-name", tool, "--tool-args-json", argumentsJson];

const { result: listed } = await inspector("--method", "tools/list");
say({ tools: listed.tools });
say(await inspector(...call));

// What it keeps: the token as JSON within JSON.
const kept = join(env.MCP_STORAGE_DIR, "secrets.json");
const read = () => {
  const all = JSON.parse(readFileSync(kept));
  const key = Object.keys(all.secrets).find((name) => name.includes(":tokens:"));
  return { all, key, tokens: JSON.parse(all.secrets[key]) };
};
const { all, key, tokens: before } = read();
all.secrets[key] = JSON.stringify({ ...before, access_token: spoilt(before.access_token) });
writeFileSync(kept, JSON.stringify(all));
await inspector("--stored-auth-only", ...call);
const { tokens: after } = read();
say({
  refreshed: after.access_token !== before.access_token,
  rotated: after.refresh_token !== before.refresh_token,
});
say({ done: true });
