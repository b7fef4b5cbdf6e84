// A person in headless Chromium who logs in at a provider of identities: the login page, the provider's own pages, the
// consent page, and back to the client.
//
// usage: node federated.mjs AUTHORIZE_URL BUTTON LOGIN SCREENSHOT_FOLDER
// Writes one JSON line: {"seen": {"redirect": URL, "violations": [...], "login": TEXT, "consent": TEXT}}.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { landing, launch, violationsOf } from "./chromium.mjs";

const [authorizeUrl, button, login, folder] = process.argv.slice(2);
const redirectUri = new URL(authorizeUrl).searchParams.get("redirect_uri");
mkdirSync(folder, { recursive: true });

const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1000, height: 800 } });
  const violations = violationsOf(page);
  const { arrived } = await landing(page, redirectUri);

  await page.goto(authorizeUrl);
  await page.screenshot({ path: join(folder, "login.png"), fullPage: true });
  const text = await page.innerText("body");
  await page.getByRole("button", { name: button }).click();
  await page.fill("input[name=login]", login);
  await page.fill("input[name=password]", "any");
  await page.click("button[type=submit]");
  // The provider asks on its own behalf, too.
  await page.waitForSelector("button:has-text('Continue')");
  await Promise.all([page.waitForURL(/\/oauth\/consent/), page.click("button[type=submit]")]);
  await page.screenshot({ path: join(folder, "consent.png"), fullPage: true });
  const consent = await page.innerText("body");
  await page.click("button[value=allow]", { noWaitAfter: true });
  const redirect = await arrived;
  process.stdout.write(`${JSON.stringify({ seen: { redirect, violations, login: text, consent } })}\n`);
} finally {
  await browser.close();
}
