// Runs in the page. What it finds out is left in `window`, for ../web_page.mjs.

import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";

const { url, call } = window.told;
const keep = (name, value) => sessionStorage.setItem(name, JSON.stringify(value));
const kept = (name) => JSON.parse(sessionStorage.getItem(name)) ?? undefined;
const redirectUrl = `${location.origin}/callback`;
const provider = {
  redirectUrl,
  clientMetadata: { client_name: "A web page", redirect_uris: [redirectUrl], token_endpoint_auth_method: "none" },
  state: () => "a-state-of-the-web-page",
  clientInformation: () => kept("client"),
  saveClientInformation: (client) => keep("client", client),
  tokens: () => kept("tokens"),
  saveTokens: (tokens) => keep("tokens", tokens),
  redirectToAuthorization: (to) => void (window.authorize = to.href),
  saveCodeVerifier: (verifier) => keep("verifier", verifier),
  codeVerifier: () => kept("verifier"),
  saveDiscoveryState: (state) => keep("discovery", state),
  discoveryState: () => kept("discovery"),
};
const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
const fresh = () => new Client({ name: "a-web-page", version: "1.0.0" });

async function begin() {
  try {
    await fresh().connect(transport());
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
  }
}

async function goOn() {
  await transport().finishAuth(new URLSearchParams(location.search));
  const client = fresh();
  await client.connect(transport());
  window.listed = { tools: (await client.listTools()).tools };
  window.called = { result: await client.callTool(call) };
  const before = kept("tokens");
  keep("tokens", { ...before, access_token: `${before.access_token.slice(0, -8)}AAAAAAAA` });
  await client.callTool(call);
  const after = kept("tokens");
  window.refreshed = {
    refreshed: after.access_token !== before.access_token,
    rotated: after.refresh_token !== before.refresh_token,
  };
  await client.close();
}

await (location.pathname === "/callback" ? goOn() : begin());
