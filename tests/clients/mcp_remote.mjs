// mcp-remote, the bridge of clients that only know stdio, driven by such a client.
//
// usage: node mcp_remote.mjs URL TOOL ARGUMENTS_JSON

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { environment, loginUrl, say, spoilt, visit } from "./talk.mjs";

const [url, name, argumentsJson] = process.argv.slice(2);
const call = { name, arguments: JSON.parse(argumentsJson) };
const program = fileURLToPath(new URL("node_modules/mcp-remote/dist/proxy.js", import.meta.url));
const env = environment();

/** Its client, connected; the user logs in when it asks for that. */
async function connect() {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [program, url],
    env: { ...env, MCP_REMOTE_CONFIG_DIR: env.HOME },
    stderr: "pipe",
  });
  let [errors, visiting] = ["", undefined];
  transport.stderr.on("data", (chunk) => {
    errors += chunk;
    const login = loginUrl(errors);
    if (login) visiting ??= visit(login).catch((error) => (errors += error));
  });
  const client = new Client({ name: "attache-test", version: "1.0.0" });
  try {
    await client.connect(transport);
  } catch (error) {
    throw new Error(`${error}\n${errors}`);
  }
  return { client, asked: () => visiting !== undefined };
}

const tokensFile = () => {
  const files = readdirSync(env.HOME, { recursive: true }).filter((file) => file.endsWith("_tokens.json"));
  if (files.length !== 1) throw new Error(`tokens in ${JSON.stringify(files)}`);
  return join(env.HOME, files[0]);
};

const first = await connect();
if (!first.asked()) throw new Error("connected without a login");
say({ tools: (await first.client.listTools()).tools });
say({ result: await first.client.callTool(call) });
await first.client.close();

// The next time that it is started it finds what it kept: a token that is dead, and one to refresh it with.
const before = JSON.parse(readFileSync(tokensFile()));
writeFileSync(tokensFile(), JSON.stringify({ ...before, access_token: spoilt(before.access_token) }));
const second = await connect();
await second.client.callTool(call);
if (second.asked()) throw new Error("it asked for a login although it could refresh");
await second.client.close();
const after = JSON.parse(readFileSync(tokensFile()));
say({
  refreshed: after.access_token !== before.access_token,
  rotated: after.refresh_token !== before.refresh_token,
});
say({ done: true });
process.exit(0);
