// The official TypeScript SDK as a client that knows only the URL of an MCP server.
//
// Speaks JSON lines with the test that runs it: {"authorize": URL} when a user must log in, then reads the
// URL that the browser was redirected to; {"tools"}, {"result"}, {"refreshed", "rotated"} and {"done"}.
//
// usage: node sdk_client.mjs URL TOOL ARGUMENTS_JSON

import { createInterface } from "node:readline";
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";

const [url, tool, argumentsJson] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const kept = {};
const provider = {
  redirectUrl: "http://localhost:3031/callback",
  clientMetadata: {
    client_name: "TypeScript SDK",
    redirect_uris: ["http://localhost:3031/callback"],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  },
  state: () => "a-state-of-the-typescript-sdk",
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  redirectToAuthorization: (to) => say({ authorize: to.href }),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
};

const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });

async function connect() {
  const client = new Client({ name: "attache-test", version: "1.0.0" });
  const first = transport();
  try {
    await client.connect(first);
    return client;
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    const { value } = await lines.next();
    const answer = new URL(value.trim());
    if (answer.searchParams.get("state") !== provider.state()) throw new Error("another state came back");
    await first.finishAuth(answer.searchParams);
  }
  const again = new Client({ name: "attache-test", version: "1.0.0" });
  await again.connect(transport());
  return again;
}

const client = await connect();
say({ tools: (await client.listTools()).tools });
say({ result: await client.callTool({ name: tool, arguments: JSON.parse(argumentsJson) }) });

// A token that the server no longer accepts makes the SDK refresh and try again.
const before = kept.tokens;
kept.tokens = { ...before, access_token: `${before.access_token.slice(0, -8)}AAAAAAAA` };
await client.callTool({ name: tool, arguments: JSON.parse(argumentsJson) });
say({
  refreshed: kept.tokens.access_token !== before.access_token,
  rotated: kept.tokens.refresh_token !== before.refresh_token,
});
await client.close();
say({ done: true });
process.exit(0);
