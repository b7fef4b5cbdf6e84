// oauth4webapi, which refuses every answer that is not to the letter of its specification, as a client of any kind.
//
// usage: node oauth4webapi.mjs URL TOOL ARGUMENTS_JSON [CLIENT_JSON]
//
// CLIENT_JSON says what is otherwise than for a client that registers itself and has a secret:
//   metadata   with which it registers itself
//   client     what it is without that: its id, and its secret if it has one
//   key        private key, a JWK for ES256, of one that signs
//   redirect   where it waits for its code
//   tokens     "theirs": access tokens are of somebody else and not looked at

import * as oauth from "oauth4webapi";
import { authorized, say } from "./talk.mjs";
import { connected } from "./with_token.mjs";

const [url, name, argumentsJson, clientJson = "{}"] = process.argv.slice(2);
const call = { name, arguments: JSON.parse(argumentsJson) };
const who = JSON.parse(clientJson);
const redirectUri = who.redirect ?? "https://client.example/callback";
const insecure = { [oauth.allowInsecureRequests]: true };

// 401: the library parses the challenge.
const refused = await oauth
  .protectedResourceRequest("no-token", "POST", new URL(url), undefined, "{}", insecure)
  .catch((error) => error);
if (!(refused instanceof oauth.WWWAuthenticateChallengeError)) throw refused;
const { parameters } = refused.cause[0];
if (!parameters.resource_metadata) throw new Error(`no resource_metadata in ${JSON.stringify(parameters)}`);

const resource = await oauth.processResourceDiscoveryResponse(
  new URL(url),
  await oauth.resourceDiscoveryRequest(new URL(url), insecure),
);
const issuer = new URL(resource.authorization_servers[0]);
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure }),
);

async function registered() {
  const metadata = who.metadata ?? { redirect_uris: [redirectUri], token_endpoint_auth_method: "client_secret_basic" };
  const client = await oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(server, metadata, insecure),
  );
  if (client.token_endpoint_auth_method !== metadata.token_endpoint_auth_method) throw new Error("registered otherwise");
  return client;
}

async function proof() {
  if (who.key) {
    const curve = { name: "ECDSA", namedCurve: "P-256" };
    return oauth.PrivateKeyJwt(await crypto.subtle.importKey("jwk", who.key, curve, false, ["sign"]));
  }
  return client.client_secret ? oauth.ClientSecretBasic(client.client_secret) : oauth.None();
}

const client = who.client ?? (await registered());
const authentication = await proof();

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const authorize = new URL(server.authorization_endpoint);
authorize.search = new URLSearchParams({
  client_id: client.client_id,
  redirect_uri: redirectUri,
  response_type: "code",
  scope: parameters.scope,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  resource: resource.resource,
});
const answer = oauth.validateAuthResponse(server, client, await authorized(authorize), state);
const tokens = await oauth.processAuthorizationCodeResponse(
  server,
  client,
  await oauth.authorizationCodeGrantRequest(server, client, authentication, answer, redirectUri, verifier, {
    additionalParameters: { resource: resource.resource },
    ...insecure,
  }),
);
if (who.tokens !== "theirs") {
  // The library is a resource server, too: RFC 9068, with the keys that the metadata names.
  const request = new Request(url, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  await oauth.validateJwtAccessToken(server, request, resource.resource, insecure);
}

const mcp = await connected(url, tokens.access_token);
say({ tools: (await mcp.listTools()).tools });
say({ result: await mcp.callTool(call) });
await mcp.close();

const again = await oauth.processRefreshTokenResponse(
  server,
  client,
  await oauth.refreshTokenGrantRequest(server, client, authentication, tokens.refresh_token, insecure),
);
const refreshed = await connected(url, again.access_token);
await refreshed.callTool(call);
await refreshed.close();
say({
  refreshed: again.access_token !== tokens.access_token,
  rotated: again.refresh_token !== tokens.refresh_token,
});

const revoked = await oauth.revocationRequest(server, client, authentication, again.refresh_token, insecure);
await oauth.processRevocationResponse(revoked);
say({ done: true });
process.exit(0);
