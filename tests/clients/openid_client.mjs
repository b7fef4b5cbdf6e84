// openid-client, a certified relying party, as a public client of our authorization server.
//
// usage: node openid_client.mjs URL TOOL ARGUMENTS_JSON

import * as openid from "openid-client";
import { authorized, say } from "./talk.mjs";
import { connected } from "./with_token.mjs";

const [url, name, argumentsJson] = process.argv.slice(2);
const call = { name, arguments: JSON.parse(argumentsJson) };
const redirectUri = "http://127.0.0.1:3034/callback";

const challenge = (await fetch(url, { method: "POST" })).headers.get("www-authenticate");
const resource = await (await fetch(challenge.match(/resource_metadata="([^"]+)"/)[1])).json();
const client = await openid.dynamicClientRegistration(
  new URL(resource.authorization_servers[0]),
  { redirect_uris: [redirectUri], token_endpoint_auth_method: "none", application_type: "native" },
  openid.None(),
  { algorithm: "oauth2", execute: [openid.allowInsecureRequests] },
);
const server = client.serverMetadata();
if (!server.supportsPKCE()) throw new Error("no PKCE in the metadata");

const verifier = openid.randomPKCECodeVerifier();
const state = openid.randomState();
const authorize = openid.buildAuthorizationUrl(client, {
  redirect_uri: redirectUri,
  scope: resource.scopes_supported.join(" "),
  code_challenge: await openid.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  resource: resource.resource,
});
const tokens = await openid.authorizationCodeGrant(
  client,
  await authorized(authorize),
  { pkceCodeVerifier: verifier, expectedState: state },
  { resource: resource.resource },
);

const mcp = await connected(url, tokens.access_token);
say({ tools: (await mcp.listTools()).tools });
say({ result: await mcp.callTool(call) });
await mcp.close();

const again = await openid.refreshTokenGrant(client, tokens.refresh_token, { resource: resource.resource });
const refreshed = await connected(url, again.access_token);
await refreshed.callTool(call);
await refreshed.close();
say({
  refreshed: again.access_token !== tokens.access_token,
  rotated: again.refresh_token !== tokens.refresh_token,
});
await openid.tokenRevocation(client, again.refresh_token);
say({ done: true });
process.exit(0);
