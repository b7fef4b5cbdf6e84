// The web page of MCP Inspector in Chromium: connects, logs in, lists the tools and calls one.
//
// usage: node inspector_web.mjs URL TOOL PORT EMAIL PASSWORD FOLDER   (Node.js 22)
// Says {"done": true} when the page shows the tool's result.

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, logIn } from "./chromium.mjs";
import { environment, say } from "./talk.mjs";

const [url, tool, port, email, password, folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const clients = new URL("node_modules/@modelcontextprotocol/inspector/clients/", import.meta.url);
const secret = "a-token-of-the-inspector";
const env = {
  ...environment(),
  CLIENT_PORT: port,
  MCP_SANDBOX_PORT: "0",
  MCP_APP_ORIGIN_PORT: "0",
  MCP_AUTO_OPEN_ENABLED: "false",
  MCP_INSPECTOR_API_TOKEN: secret,
  MCP_INSPECTOR_SECRET_STORE: "memory",
};
const program = fileURLToPath(new URL("launcher/build/index.js", clients));
const server = spawn(process.execPath, [program, "--web"], { env, stdio: ["ignore", "pipe", "inherit"] });
process.on("exit", () => server.kill());
await new Promise((resolve) => {
  let said = "";
  server.stdout.on("data", (chunk) => {
    said += chunk;
    if (said.includes("up and running")) resolve();
  });
});

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
const shot = (name) => page.screenshot({ path: join(folder, `${name}.png`) });
try {
  const query = new URLSearchParams({ serverUrl: url, transport: "http", autoConnect: secret, MCP_INSPECTOR_API_TOKEN: secret });
  await page.goto(`http://localhost:${port}/?${query}`);
  await page.waitForURL(/\/oauth\/(authorize|login)/, { timeout: 30_000 });
  await logIn(page, email, password);
  await Promise.all([page.waitForURL(new RegExp(`localhost:${port}/`)), page.click("button[value=allow]")]);
  await page.getByText("Connected", { exact: true }).waitFor();
  await shot("connected");

  await page.getByText("Tools", { exact: true }).first().click();
  await page.getByText(tool, { exact: true }).first().click();
  await page.getByRole("textbox", { name: "message" }).fill("from the inspector");
  await page.getByRole("textbox", { name: "attache_intent" }).fill("Check the inspector");
  await page.getByRole("button", { name: "Execute Tool" }).click();
  await page.getByText("Echo: from the inspector").waitFor();
  await shot("called");
} catch (error) {
  await shot("failed");
  console.error(page.url(), (await page.innerText("body")).slice(0, 2000));
  throw error;
} finally {
  await browser.close();
}
say({ done: true });
process.exit(0);
