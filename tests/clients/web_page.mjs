// The official TypeScript SDK in a page of another origin, in Chromium: what it may ask and read is decided by CORS.
//
// usage: node web_page.mjs URL TOOL ARGUMENTS_JSON

import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { launch } from "./chromium.mjs";
import { authorized, say } from "./talk.mjs";

const [url, name, argumentsJson] = process.argv.slice(2);
const here = new URL("./", import.meta.url).href;

// What the SDK imports, as a bundler for browsers would find it.
const files = {
  "@modelcontextprotocol/client": "@modelcontextprotocol/client/dist/index.mjs",
  "@modelcontextprotocol/client/_shims": "@modelcontextprotocol/client/dist/shimsBrowser.mjs",
  "@modelcontextprotocol/core/internal": "@modelcontextprotocol/core/dist/internal.mjs",
  eventsource: "eventsource/dist/index.js",
  "eventsource-parser": "eventsource-parser/dist/index.js",
  "eventsource-parser/stream": "eventsource-parser/dist/stream.js",
  "pkce-challenge": "pkce-challenge/dist/index.browser.js",
  "zod/v4": "zod/v4/index.js",
};
const imports = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, `/node_modules/${file}`]));
const html = `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module" src="/web_page/app.mjs"></script>`;

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (!pathname.endsWith("js")) return response.setHeader("content-type", "text/html").end(html);
  response.setHeader("content-type", "text/javascript");
  const file = createReadStream(fileURLToPath(new URL(`.${pathname}`, here)));
  return file.on("error", () => response.writeHead(404).end()).pipe(response);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

const browser = await launch();
try {
  const page = await browser.newPage();
  // A 401 is one of its errors, and part of the way.
  page.on("console", (message) => /CORS|policy/.test(message.text()) && console.error(message.text()));
  page.on("pageerror", (error) => console.error(error));
  const said = (what) => page.waitForFunction((key) => window[key], what).then((handle) => handle.jsonValue());

  const call = { name, arguments: JSON.parse(argumentsJson) };
  await page.addInitScript((told) => (window.told = told), { url, call });
  await page.goto(origin);
  const back = await authorized(await said("authorize"));
  await page.goto(back.href);
  for (const what of ["listed", "called", "refreshed"]) say(await said(what));
  say({ done: true });
} finally {
  await browser.close();
}
process.exit(0);
