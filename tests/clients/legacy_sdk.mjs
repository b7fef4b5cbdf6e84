// The TypeScript SDK of the first generation (@modelcontextprotocol/sdk), which most clients in the field still carry.
//
// usage: node legacy_sdk.mjs URL TOOL ARGUMENTS_JSON

import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { authorized, say, spoilt } from "./talk.mjs";

const [url, name, argumentsJson] = process.argv.slice(2);
const call = { name, arguments: JSON.parse(argumentsJson) };
const redirectUrl = "http://localhost:3033/callback";

const kept = {};
const provider = {
  redirectUrl,
  // Neither scope nor authentication method: the SDK decides by what the server offers.
  clientMetadata: { client_name: "TypeScript SDK 1", redirect_uris: [redirectUrl] },
  state: () => "a-state-of-the-legacy-sdk",
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  redirectToAuthorization: (to) => void (kept.authorize = to),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
};
const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
const fresh = () => new Client({ name: "attache-test", version: "1.0.0" });

const first = transport();
try {
  await fresh().connect(first);
  throw new Error("connected without a token");
} catch (error) {
  if (!(error instanceof UnauthorizedError)) throw error;
}
const answer = await authorized(kept.authorize);
if (answer.searchParams.get("state") !== provider.state()) throw new Error("another state came back");
await first.finishAuth(answer.searchParams.get("code"));

const client = fresh();
await client.connect(transport());
say({ tools: (await client.listTools()).tools });
say({ result: await client.callTool(call) });

const before = kept.tokens;
kept.tokens = { ...before, access_token: spoilt(before.access_token) };
await client.callTool(call);
say({
  refreshed: kept.tokens.access_token !== before.access_token,
  rotated: kept.tokens.refresh_token !== before.refresh_token,
});
await client.close();
say({ done: true });
process.exit(0);
