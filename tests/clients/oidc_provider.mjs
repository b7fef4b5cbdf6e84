// oidc-provider, a certified OpenID provider, as somebody would run it, and as bad as it is told to be.
//
// usage: node oidc_provider.mjs PORT CONFIGURATION_JSON
//
// The configuration: `clients` and everything else that oidc-provider takes as data, and besides `people`: claims by
// the name that they type to log in (any password will do), `path`: where below the origin the issuer is, and `resources`:
// it issues access tokens for resources (RFC 8707), in the `format` jwt or opaque, for the `audience` that is given or else
// the resource; then clients may register themselves, and ask about tokens and give them back; `failures`: what `fail` would
// tell it, from its first moment on.
// Says {"issuer": URL} when it listens. Then, a line each, answered by {"done": true}:
//   {"rotate": true}                      it signs with another key, and publishes only that
//   {"fail": {"path": "/token", ...}}     requests for this path get `status`, or `body` as it is, or nothing (`hang`)
//   {"mend": true | "/token"}             all is well again, or what was wrong at this path
//   {"deny": true | false}                whoever comes to log in is sent back with access_denied

// That it keeps everything in memory and asks with pages of its own is meant so; standard output is ours.
console.log = console.info = console.warn = () => {};

import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const [port, text] = process.argv.slice(2);
const { people = {}, path = "", resources, failures: early = [], ...given } = JSON.parse(text);
const issuer = `http://127.0.0.1:${port}${path}`;
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

let failures = early;
let denies = false;
let provider;
let serve;

const key = () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg: "RS256", use: "sig" };
};

const forResources = {
  features: {
    introspection: { enabled: true },
    registration: { enabled: true },
    registrationManagement: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, resource) => ({
        scope: "mcp",
        audience: resources.audience ?? resource,
        accessTokenFormat: resources.format,
        accessTokenTTL: 600,
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  issueRefreshToken: (_context, client) => client.grantTypeAllowed("refresh_token"),
};

const start = () => {
  provider = new Provider(issuer, {
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
    scopes: ["openid", "offline_access", "email", "profile", "groups"],
    cookies: { keys: ["a key of the tests"] },
    ttl: { Session: 600, Interaction: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
    ...given,
    ...(resources ? forResources : {}),
    jwks: { keys: [key()] },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ ...people[id], sub: people[id]?.sub ?? id }) }),
  });
  // Said to whoever runs it in earnest.
  provider.on("server_error", (_context, error) => console.error(error));
  serve = provider.callback();
};

const failing = (request) => failures.find((failure) => new URL(request.url, issuer).pathname === path + failure.path);

const server = createServer(async (request, response) => {
  const failure = failing(request);
  if (failure?.hang) return;
  if (failure) {
    response.writeHead(failure.status ?? 200, { "content-type": failure.type ?? "application/json" });
    response.end(failure.body ?? "{}");
    return;
  }
  request.url = request.url.startsWith(`${path}/`) ? request.url.slice(path.length) : request.url;
  request.originalUrl = path + request.url;
  if (denies && /^\/interaction\/[^/]+$/.test(request.url)) {
    const result = { error: "access_denied", error_description: "not today" };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    return;
  }
  serve(request, response);
});

const orders = {
  rotate: () => start(),
  fail: (failure) => failures.push(failure),
  mend: (what) => { failures = failures.filter((failure) => what !== true && failure.path !== what); },
  deny: (whether) => { denies = whether; },
};

start();
server.listen(Number(port), "127.0.0.1", () => say({ issuer }));
for await (const line of createInterface({ input: process.stdin })) {
  for (const [order, value] of Object.entries(JSON.parse(line))) orders[order](value);
  say({ done: true });
}
process.exit(0);
