// oauth4webapi, which refuses every answer that is not to the letter of its specification, as a confidential client.
//
// usage: node oauth4webapi.mjs URL TOOL ARGUMENTS_JSON

import * as oauth from "oauth4webapi";
import { authorized, say } from "./talk.mjs";
import { connected } from "./with_token.mjs";

const [url, name, argumentsJson] = process.argv.slice(2);
const call = { name, arguments: JSON.parse(argumentsJson) };
const redirectUri = "https://client.example/callback";
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

const metadata = { redirect_uris: [redirectUri], token_endpoint_auth_method: "client_secret_basic" };
const client = await oauth.processDynamicClientRegistrationResponse(
  await oauth.dynamicClientRegistrationRequest(server, metadata, insecure),
);
if (client.token_endpoint_auth_method !== "client_secret_basic") throw new Error("registered otherwise");
const authentication = oauth.ClientSecretBasic(client.client_secret);

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
// The library is a resource server, too: RFC 9068, with the keys that the metadata names.
const request = new Request(url, { headers: { authorization: `Bearer ${tokens.access_token}` } });
await oauth.validateJwtAccessToken(server, request, resource.resource, insecure);

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
