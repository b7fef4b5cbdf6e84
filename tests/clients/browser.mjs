// A person in headless Chromium: logs in, reads the consent page, allows.
//
// usage: node browser.mjs AUTHORIZE_URL EMAIL PASSWORD SCREENSHOT_FOLDER [--deny]
// Writes one JSON line: {"seen": {"redirect": URL, "violations": [...], "login": TEXT, "consent": TEXT}}.
// The redirect URI need not answer: the request to it is seen, and answered here.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { landing, launch, logIn, violationsOf } from "./chromium.mjs";

const [authorizeUrl, email, password, folder, answer] = process.argv.slice(2);
const redirectUri = new URL(authorizeUrl).searchParams.get("redirect_uri");
mkdirSync(folder, { recursive: true });

const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1000, height: 800 } });
  const violations = violationsOf(page);
  const { arrived } = await landing(page, redirectUri);

  await page.goto(authorizeUrl);
  await page.screenshot({ path: join(folder, "login.png"), fullPage: true });
  const login = await page.innerText("body");
  await logIn(page, email, password);

  await page.screenshot({ path: join(folder, "consent.png"), fullPage: true });
  const consent = await page.innerText("body");
  const button = answer === "--deny" ? "deny" : "allow";
  await page.click(`button[value=${button}]`, { noWaitAfter: true });
  const timeout = new Promise((_, reject) =>
    setTimeout(() => reject(new Error(`no request to ${redirectUri} within 15 s; at ${page.url()}`)), 15_000),
  );
  const redirect = await Promise.race([arrived, timeout]);
  process.stdout.write(`${JSON.stringify({ seen: { redirect, violations, login, consent } })}\n`);
} finally {
  await browser.close();
}
